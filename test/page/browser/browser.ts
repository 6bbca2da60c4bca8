import { existsSync } from "node:fs"
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core"

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium"

/** Nothing of the browser's own goes to the network, which a closed machine refuses a hundred times. */
const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync"
]

export const launch = (): Promise<Browser> => {
  if (!existsSync(CHROMIUM)) {
    throw new Error(
      `There is no browser at ${CHROMIUM}. Install Chromium (Debian: apt-get install chromium), or name one with CHROMIUM=/path.`
    )
  }
  return chromium.launch({ executablePath: CHROMIUM, args: ARGS })
}

/** A tab, and everything that went wrong in it. */
export interface Tab {
  readonly page: Page
  readonly context: BrowserContext
  /** Errors of the console and of scripts, and what the content policy refused. */
  readonly errors: Array<string>
  /** Hosts that requests went to. */
  readonly hosts: ReadonlySet<string>
}

export const open = async (browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Tab> => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  const page = await context.newPage()
  const errors: Array<string> = []
  const hosts = new Set<string>()
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) errors.push(message.text())
  })
  page.on("pageerror", (error) => errors.push(String(error)))
  page.on("request", (request) => hosts.add(new URL(request.url()).host))
  await page.addInitScript(
    "addEventListener('securitypolicyviolation', (e) => console.error('CSP: ' + e.violatedDirective + ' ' + e.blockedURI))"
  )
  await page.goto(url)
  return { page, context, errors, hosts }
}

/** Until the page says that it is live. */
export const untilLive = (page: Page): Promise<unknown> => page.waitForSelector('[data-live="live"]')
