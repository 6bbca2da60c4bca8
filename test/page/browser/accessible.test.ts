import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import type { AxeResults } from "axe-core"
import { afterAll, afterEach, assert, beforeAll, describe, it } from "vitest"
import type { Browser, BrowserContextOptions, Page } from "playwright-core"
import { type FakeExecutor, startFake } from "../fakeExecutor.ts"
import { account, closed, DELIVERIES, explanation, KEYS, LIMITS, overview, WEBHOOKS } from "../sample.ts"
import { launch, open, untilLive } from "./browser.ts"

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

let browser: Browser
let fake: FakeExecutor
let ends: Array<() => Promise<unknown>> = []

const all = overview({
  limits: LIMITS,
  pauses: [{ scope: "all", reason: "the mint server is moved", since: overview().now }]
})

beforeAll(async () => {
  browser = await launch()
  const tasks = [...all.open, ...closed(60)]
  const cards = { keys: KEYS, webhooks: WEBHOOKS, deliveries: DELIVERIES }
  fake = await startFake({ overview: all, tasks, explanations: tasks.map((one) => explanation(one)), ...cards })
})
afterAll(async () => {
  await browser?.close()
  await fake?.stop()
})
afterEach(async () => {
  delete fake.script.token
  for (const end of ends) await end()
  ends = []
})

const pageAt = async (path: string, options: BrowserContextOptions): Promise<Page> => {
  // Still, as axe would take the colours of an animation that runs for those of the page.
  const { page, context } = await open(browser, `${fake.url}${path}`, { reducedMotion: "reduce", ...options })
  ends.push(() => context.close())
  return page
}

/** What axe finds that is serious or critical, with where it is. */
const offences = async (page: Page): Promise<ReadonlyArray<string>> => {
  await page.evaluate(AXE)
  const { violations } = await page.evaluate<AxeResults>("axe.run(document)")
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("\n")}`)
}

const overflow = (page: Page): Promise<number> =>
  page.evaluate<number>("document.documentElement.scrollWidth - document.documentElement.clientWidth")

const PHONE = { viewport: { width: 320, height: 700 } }
const CASES: ReadonlyArray<readonly [string, string, BrowserContextOptions]> = [
  ["in the light", "/", { colorScheme: "light" }],
  ["in the dark", "/", { colorScheme: "dark" }],
  ["on a small phone", "/", PHONE],
  ["between phone and desk", "/", { viewport: { width: 800, height: 900 } }],
  ["with a search, in the light", `/#find=${account("user 4")}`, { colorScheme: "light" }],
  ["with a search, in the dark", `/#find=${account("user 4")}&status=failed`, { colorScheme: "dark" }],
  ["with older closed orders, on a small phone", "/#after=25", PHONE],
  ["with an order open, in the light", "/#task=5c2d9e10", { colorScheme: "light" }],
  ["with an order open, in the dark", "/#task=5c2d9e10", { colorScheme: "dark" }],
  ["with an order open, on a small phone", "/#task=5c2d9e10", PHONE]
]

describe("the page is for everybody", () => {
  for (const [where, path, options] of CASES) {
    it(where, async () => {
      const page = await pageAt(path, options)
      await untilLive(page)
      await page.waitForSelector(path.includes("task") ? "dialog .timeline" : "#listed tbody tr")
      await page.waitForSelector("#webhooks .failures", { state: "attached" })
      await page.waitForSelector("#keys tbody", { state: "attached" })
      assert.deepStrictEqual(await offences(page), [])
      assert.strictEqual(await overflow(page), 0)
    })
  }

  it("where it asks for the token", async () => {
    fake.script.token = "t0ken"
    const page = await pageAt("/", PHONE)
    await page.waitForSelector("#token:focus")
    assert.deepStrictEqual(await offences(page), [])
    assert.strictEqual(await overflow(page), 0)
  })

  it("has nothing reach out of its panel on a small phone", async () => {
    const page = await pageAt("/", PHONE)
    await untilLive(page)
    const wide = await page.evaluate<ReadonlyArray<string>>(
      `[...document.querySelectorAll(".panel")].filter((it) => it.scrollWidth > it.clientWidth + 1).map((it) => it.outerHTML.slice(0, 200))`
    )
    assert.deepStrictEqual(wide, [])
  })

  it("stands still for whoever wants no motion", async () => {
    const page = await pageAt("/", {})
    await untilLive(page)
    assert.strictEqual(await page.evaluate("document.getAnimations().length"), 0)
  })

  it("goes with the keyboard from the skip link through everything that can be used, in the order of the page", async () => {
    const page = await pageAt("/", {})
    await untilLive(page)
    const visited: Array<string> = []
    for (let n = 0; n < 12; n++) {
      await page.keyboard.press("Tab")
      visited.push(
        await page.evaluate<string>(
          "document.activeElement.id || document.activeElement.textContent || document.activeElement.ariaLabel"
        )
      )
    }
    assert.deepStrictEqual(visited.slice(0, 5), [
      "Skip to the orders",
      "named",
      "theme",
      "b3319f58",
      "Copy the command ai-mint tasks explain b3319f58"
    ])
    assert.include(visited, "waits for payment 3")
  })
})
