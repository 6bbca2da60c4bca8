import { afterAll, afterEach, assert, beforeAll, describe, it } from "vitest"
import type { Browser, BrowserContextOptions } from "playwright-core"
import { type FakeExecutor, type Script, startFake } from "../fakeExecutor.ts"
import { explanation, hash, minting, overview, task, taskId } from "../sample.ts"
import { launch, open, type Tab, untilLive } from "./browser.ts"

let browser: Browser
const ends: Array<() => Promise<unknown>> = []

beforeAll(async () => {
  browser = await launch()
})
afterAll(() => browser?.close())
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

const fakeOf = async (script: Partial<Script> = {}, port = 0): Promise<FakeExecutor> => {
  const fake = await startFake({ overview: overview(), ...script }, port)
  ends.push(fake.stop)
  return fake
}

const tabAt = async (url: string, options: BrowserContextOptions = {}): Promise<Tab> => {
  const tab = await open(browser, url, options)
  ends.push(() => tab.context.close())
  return tab
}

const FIRST = "5c2d9e10"
const ID = taskId(FIRST)

/** The one order that there is. */
const only = (order: ReturnType<typeof task>) =>
  overview({ open: [order], openCount: 1, attention: [], attentionCount: 0, explorer: null })

describe("the page", () => {
  it("shows at once what happened last, a payment in part, and many that are held for one cause as one", async () => {
    const part = task(FIRST, { totalCost: "7000000", received: "3500000" })
    const [held] = overview().attention
    const attention = Array.from({ length: 100 }, (_, n) => ({
      ...held!,
      taskId: taskId(`0000${1000 + n}`),
      text: `the key of agent wallet 0x${1000 + n} does not decrypt`,
      alike: 1199
    }))
    const event = {
      id: 7,
      at: overview().now,
      kind: "task.funded",
      text: "Paid",
      taskId: ID,
      walletId: null,
      batch: null,
      detail: {}
    }
    const shown = { ...only(part), attention, attentionCount: 1199, lately: [event], moneySince: overview().now }
    const { page } = await tabAt((await fakeOf({ overview: shown })).url)
    await untilLive(page)
    assert.match(await page.innerText("#recent-events"), /5c2d9e10\s+Paid/)
    assert.match(await page.innerText(`tr[data-key="${ID}"]`), /3\.50 of 7\.00/)
    assert.strictEqual(await page.locator(".alert").count(), 1)
    const alert = await page.innerText(".alert")
    assert.match(alert, /1,199 for the same cause[\s\S]*does not decrypt[\s\S]*and 1,194 more[\s\S]*tasks list --held/)
    assert.notInclude(await page.innerText("#attention"), "and 1,099 more")
    assert.include(await page.innerText("#money"), "what v1.1 paid before is not in these sums")
    assert.isBelow((await page.locator("#attention").boundingBox())?.height ?? 0, 400)
  })

  it("shows an order on its way from payment to its last mint, while it happens", async () => {
    const waiting = task(FIRST)
    const fake = await fakeOf({ overview: only(waiting), explanations: [explanation(waiting)] })
    const { page, errors, hosts } = await tabAt(fake.url)
    await untilLive(page)
    const row = page.locator(`tr[data-key="${ID}"]`)
    assert.match(await row.innerText(), /waits for payment[\s\S]*min \d+ s left[\s\S]*10\.00/)

    await page.click(`text=${FIRST}`)
    await page.waitForSelector("dialog[open] .timeline")
    const next = minting(FIRST, { mintsCompleted: 4 })
    fake.script.overview = only(next)
    fake.script.explanations = [explanation(next)]
    fake.emit("task.funded", { taskId: ID })
    await page.waitForSelector(`tr[data-key="${ID}"] [data-state="processing"]`)
    await page.waitForSelector('dialog h2 [data-state="processing"]')
    await page.waitForSelector("text=4/10")
    assert.strictEqual(await row.locator("progress").first().getAttribute("value"), "4")

    const done = minting(FIRST, { status: "completed", mintsCompleted: 10 })
    fake.script.overview = { ...only(next), open: [], openCount: 0 }
    fake.script.explanations = [explanation(done)]
    fake.emit("task.completed", { taskId: ID })
    await page.waitForSelector('dialog h2 [data-state="completed"]')
    await page.keyboard.press("Escape")
    await page.waitForSelector("text=No order is open.")
    assert.strictEqual(await row.count(), 0)
    assert.match(await page.innerText("#recent-events"), /5c2d9e10\s+task\.completed[\s\S]*5c2d9e10\s+task\.funded/)
    assert.deepStrictEqual(errors, [])
    assert.deepStrictEqual([...hosts], [new URL(fake.url).host])
  })

  it("asks for no more than one overview in a second, and misses nothing of a burst", async () => {
    const fake = await fakeOf({ overview: only(task(FIRST)) })
    const { page } = await tabAt(fake.url)
    await untilLive(page)
    await page.waitForTimeout(1500)
    const before = fake.asked.length
    for (let n = 0; n < 40; n++) {
      fake.emit("task.seen")
      await page.waitForTimeout(50)
    }
    fake.script.overview = only(minting(FIRST))
    fake.emit("task.planned", { taskId: ID })
    await page.waitForSelector(`tr[data-key="${ID}"] [data-state="processing"]`)
    const overviews = fake.asked.slice(before).filter((path) => path === "GET /api/overview")
    assert.isAtMost(overviews.length, 5)
  })

  it("says that what it shows is old while the executor is away, and goes on where it was when it is back", async () => {
    const fake = await fakeOf({ overview: only(task(FIRST)) })
    const { page, errors } = await tabAt(fake.url)
    await untilLive(page)
    fake.emit("task.seen")
    await page.waitForTimeout(300)
    await fake.stop()
    await page.waitForSelector('[data-live="offline"]')
    await page.waitForSelector('#main[data-stale="true"]')
    assert.match(await page.innerText("#banners"), /does not answer[\s\S]*Last seen \d\d:\d\d:\d\d/)
    assert.strictEqual(await page.locator(`tr[data-key="${ID}"]`).count(), 1)

    const again = await fakeOf({ overview: only(minting(FIRST)) }, fake.port)
    await untilLive(page)
    await page.waitForSelector(`tr[data-key="${ID}"] [data-state="processing"]`)
    assert.strictEqual(await page.innerText("#banners"), "")
    assert.deepStrictEqual(again.listenedFrom.slice(0, 1), ["101"])
    assert.deepStrictEqual(
      errors.filter((text) => !text.includes("ERR_CONNECTION_REFUSED") && !text.includes("ERR_INCOMPLETE_CHUNKED")),
      []
    )
  })

  it("takes a stream that is silent for half a minute for gone, and listens anew", async () => {
    const fake = await fakeOf({ overview: only(task(FIRST)), beatMs: 3_600_000 })
    const { page } = await tabAt("about:blank")
    await page.clock.install()
    await page.goto(fake.url)
    await untilLive(page)
    await page.clock.fastForward(15_000)
    await untilLive(page)
    assert.strictEqual(fake.listenedFrom.length, 1)
    await page.clock.fastForward(15_000)
    await page.waitForSelector('[data-live="reconnecting"]')
    await page.clock.fastForward(2_000)
    await untilLive(page)
    assert.strictEqual(fake.listenedFrom.length, 2)
  })

  it("reads out what is new for a person to see to, and copies the command for it", async () => {
    const all = overview()
    const fake = await fakeOf({ overview: overview({ attention: [], attentionCount: 0 }) })
    const { page, context } = await tabAt(fake.url, { permissions: ["clipboard-read", "clipboard-write"] })
    await untilLive(page)
    assert.strictEqual(await page.innerText("#announcer"), "")
    fake.script.overview = all
    fake.emit("task.held")
    await page.waitForSelector("#announcer:not(:empty)", { state: "attached" })
    assert.match(await page.innerText("#announcer"), /^Held, order b3319f58: batch 4 /)
    assert.match(await page.title(), /^\(2\) 7 open orders · base/)
    await page.click(".alert .copy")
    await page.waitForSelector("#announcer:text-is('Copied')", { state: "attached" })
    const copied = await page.evaluate("navigator.clipboard.readText()")
    assert.strictEqual(copied, "npm run -s ai-mint -- tasks explain b3319f58")
    await context.clearPermissions()
  })

  it("says what a problem says, keeps what it knew, and asks again", async () => {
    const fake = await fakeOf()
    const { page } = await tabAt(fake.url)
    await untilLive(page)
    fake.script.problem = { status: 503, title: "Service Unavailable", detail: "The database does not answer." }
    fake.emit("task.seen")
    await page.waitForSelector("text=The database does not answer.")
    await page.waitForSelector('[data-live="reconnecting"]')
    assert.strictEqual(await page.locator("#open tbody tr").count(), overview().open.length)
    delete fake.script.problem
    fake.emit("task.seen")
    await untilLive(page)
  })

  it("takes no text of the ledger for markup", async () => {
    const evil = '<img src=x onerror="alert(1)">'
    const order = minting(FIRST, {
      held: { reason: evil, since: overview().now },
      userAddress: evil,
      fundingTx: "javascript:alert(1)"
    })
    const told = explanation(order, {
      summary: evil,
      steps: [{ at: null, kind: evil, text: evil, batch: null, txs: [evil] }]
    })
    const fake = await fakeOf({ overview: { ...only(order), explorer: "javascript:alert(1)" }, explanations: [told] })
    const { page, errors } = await tabAt(`${fake.url}/#task=${FIRST}`)
    await page.waitForSelector("dialog .timeline")
    assert.strictEqual(await page.locator("img").count(), 1)
    assert.strictEqual(await page.locator('a[href^="javascript"]').count(), 0)
    assert.include(await page.innerText("dialog .summary"), evil)
    assert.deepStrictEqual(errors, [])
  })

  it("links transactions to the explorer, and gives them to copy where there is none", async () => {
    const order = minting(FIRST)
    const fake = await fakeOf({ explanations: [explanation(order)] })
    const { page } = await tabAt(`${fake.url}/#task=${FIRST}`)
    await page.waitForSelector("dialog .timeline a.tx")
    const link = page.locator("dialog .timeline a.tx").first()
    assert.strictEqual(await link.getAttribute("href"), `https://basescan.org/tx/${hash("deposit")}`)
    fake.script.overview = overview({ explorer: null })
    fake.emit("task.seen")
    await page.waitForSelector(`dialog .timeline [data-copy="${hash("deposit")}"]`)
    assert.strictEqual(await page.locator("dialog a.tx").count(), 0)
  })

  it("filters the open orders by state", async () => {
    const fake = await fakeOf()
    const { page } = await tabAt(fake.url)
    await untilLive(page)
    await page.click('[data-filter="held"]')
    assert.strictEqual(await page.locator("#open tbody tr").count(), 1)
    assert.strictEqual(await page.getAttribute('[data-filter="held"]', "aria-pressed"), "true")
    await page.click('[data-filter="all"]')
    assert.strictEqual(await page.locator("#open tbody tr").count(), overview().open.length)
  })

  it("keeps the theme that was chosen, and follows the system again where it is the same", async () => {
    const fake = await fakeOf()
    const { page } = await tabAt(fake.url, { colorScheme: "light" })
    await untilLive(page)
    const ground = () => page.evaluate<string>("getComputedStyle(document.body).backgroundColor")
    const light = await ground()
    await page.click("#theme")
    const dark = await ground()
    assert.notStrictEqual(dark, light)
    await page.reload()
    assert.strictEqual(await ground(), dark)
    await page.click("#theme")
    assert.strictEqual(await ground(), light)
    await page.emulateMedia({ colorScheme: "dark" })
    assert.strictEqual(await ground(), dark)
  })
})

describe("the way in", () => {
  it("asks for the token, refuses a wrong one, and keeps the right one for the session", async () => {
    const fake = await fakeOf({ token: "the-right-one" })
    const { page, context } = await tabAt(fake.url)
    await page.waitForSelector("#token:focus")
    assert.isTrue(await page.isHidden("#main"))
    await page.keyboard.type("a-wrong-one")
    await page.keyboard.press("Enter")
    await page.waitForSelector("text=This token is not the right one.")
    await page.keyboard.type("the-right-one")
    await page.keyboard.press("Enter")
    await untilLive(page)
    assert.isTrue(await page.isHidden("#access"))
    await page.reload()
    await untilLive(page)
    assert.strictEqual(await page.evaluate("localStorage.length"), 0)

    const other = await context.newPage()
    await other.goto(fake.url)
    await other.waitForSelector("#token:focus")
  })

  it("opens the order of the address once the token is there", async () => {
    const fake = await fakeOf({ token: "t0ken", explanations: [explanation(minting(FIRST))] })
    const { page } = await tabAt(`${fake.url}/#task=${FIRST}`)
    await page.waitForSelector("#token:focus")
    assert.strictEqual(await page.locator("dialog[open]").count(), 0)
    await page.keyboard.type("t0ken")
    await page.keyboard.press("Enter")
    await page.waitForSelector("dialog[open] .timeline")
  })

  it("asks for another token where a key lacks the scope", async () => {
    const detail = "This key may not do that: it lacks the scope orders:read."
    const fake = await fakeOf({ token: "a-key" })
    const { page } = await tabAt(fake.url)
    await page.waitForSelector("#token:focus")
    fake.script.problem = { status: 403, title: "Forbidden", detail }
    await page.keyboard.type("a-key")
    await page.keyboard.press("Enter")
    await page.waitForSelector(`text=${detail}`)
    assert.isFalse(await page.isHidden("#access-fields"))
    delete fake.script.problem
    await page.keyboard.type("a-key")
    await page.keyboard.press("Enter")
    await untilLive(page)
  })

  it("says why nobody is let in", async () => {
    const detail = "OPS_TOKEN is not set: nobody is let in from outside."
    const fake = await fakeOf({ problem: { status: 403, title: "Forbidden", detail } })
    const { page } = await tabAt(fake.url)
    await page.waitForSelector(`text=${detail}`)
    assert.isTrue(await page.isHidden("#access-fields"))
    assert.isTrue(await page.isHidden("#main"))
  })
})

describe("the dialog of an order", () => {
  it("opens from the search box and closes with Escape, by keyboard alone, and the focus comes back", async () => {
    const fake = await fakeOf({ explanations: [explanation(minting(FIRST))] })
    const { page } = await tabAt(fake.url)
    await untilLive(page)
    const active = () => page.evaluate<string>("document.activeElement.id")
    await page.keyboard.press("/")
    assert.strictEqual(await active(), "named")
    await page.keyboard.type("nonsense")
    await page.keyboard.press("Enter")
    await page.waitForSelector("text=An order's id or its first 8 digits, the address of a user or agent wallet")
    await page.fill("#named", "")
    await page.keyboard.type(FIRST.toUpperCase())
    await page.keyboard.press("Enter")
    await page.waitForSelector("dialog[open] .timeline")
    assert.strictEqual(new URL(page.url()).hash, `#task=${FIRST}`)
    assert.isTrue(await page.evaluate<boolean>("document.querySelector('dialog').contains(document.activeElement)"))
    await page.keyboard.press("Escape")
    await page.waitForSelector("dialog:not([open])", { state: "attached" })
    assert.strictEqual(await active(), "named")
    await page.waitForURL((url) => url.hash === "")
  })

  it("goes and comes with the browser's way back and forth", async () => {
    const fake = await fakeOf({ explanations: [explanation(minting(FIRST))] })
    const { page } = await tabAt(fake.url)
    await untilLive(page)
    await page.focus(`tr[data-key="${ID}"] a`)
    await page.keyboard.press("Enter")
    await page.waitForSelector("dialog[open] .timeline")
    await page.goBack()
    await page.waitForSelector("dialog:not([open])", { state: "attached" })
    assert.strictEqual(await page.evaluate("document.activeElement.textContent"), FIRST)
    await page.goForward()
    await page.waitForSelector("dialog[open] .timeline")
    await page.click("#explain-close")
    await page.waitForURL((url) => url.hash === "")
  })

  it("leaves an address without the order where it was opened by a link", async () => {
    const fake = await fakeOf({ explanations: [explanation(minting(FIRST))] })
    const { page } = await tabAt(`${fake.url}/#task=${ID}`)
    await page.waitForSelector("dialog[open] .timeline")
    await page.keyboard.press("Escape")
    await page.waitForURL((url) => url.hash === "")
    assert.isTrue(await page.isHidden("dialog"))
  })

  it("says that there is no such order", async () => {
    const fake = await fakeOf()
    const { page } = await tabAt(`${fake.url}/#task=00000000`)
    await page.waitForSelector("dialog[open] .banner")
    assert.strictEqual(await page.innerText("dialog .banner"), "There is no order 00000000.")
  })

  it("keeps the focus in its rows while the page renews itself", async () => {
    const fake = await fakeOf()
    const { page } = await tabAt(fake.url)
    await untilLive(page)
    await page.focus(`tr[data-key="${ID}"] a`)
    const [first, ...rest] = overview().open
    fake.script.overview = overview({ open: [task("00aa00aa"), ...rest], openCount: rest.length + 1 })
    fake.emit("task.created")
    await page.waitForSelector("text=00aa00aa")
    assert.strictEqual(await page.locator(`tr[data-key="${first?.id}"]`).count(), 0)
    assert.strictEqual(await page.evaluate("document.activeElement.textContent"), FIRST)
  })
})
