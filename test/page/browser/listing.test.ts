import { afterAll, afterEach, assert, beforeAll, describe, it } from "vitest"
import type { Browser, BrowserContextOptions } from "playwright-core"
import { type FakeExecutor, type Script, startFake } from "../fakeExecutor.ts"
import { closed, explanation, hash, minting, overview, task, taskId } from "../sample.ts"
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

describe("lists of orders on the page", () => {
  it("finds the orders of a person, of an agent wallet and of a transaction, by keyboard alone", async () => {
    const tasks = [task(FIRST), ...closed(100)]
    const fake = await fakeOf({ tasks, explanations: tasks.map((one) => explanation(one)) })
    const { page, errors } = await tabAt(fake.url)
    await untilLive(page)
    const find = async (text: string): Promise<string> => {
      await page.keyboard.press("/")
      await page.fill("#named", text)
      await page.keyboard.press("Enter")
      await page.waitForSelector("#h-listing:focus")
      await page.waitForSelector("#announcer:not(:empty)", { state: "attached" })
      await page.waitForTimeout(400)
      return page.innerText("#h-listing")
    }
    assert.match(await find(tasks[1]!.userAddress.toUpperCase()), /^Orders of account 0x/)
    assert.strictEqual(await page.locator("#listed tbody tr:not(.reason)").count(), 5)
    assert.match(await page.innerText("#announcer"), /^Orders of account 0x.*: 5$/)
    await find(tasks[1]!.agentAddress ?? "")
    assert.strictEqual(await page.locator("#listed tbody tr:not(.reason)").count(), 5)
    assert.match(await find(hash("closed 4")), /^Orders of transaction 0x/)
    assert.strictEqual(await page.locator("#listed tbody tr:not(.reason)").count(), 1)
    assert.match(await page.innerText("#listed .reason"), /sold out/)
    await find(`0x${"1".repeat(64)}`)
    assert.include(await page.innerText("#listed"), "No order belongs to this transaction.")
    await find(`0x${"1".repeat(40)}`)
    assert.include(await page.innerText("#listed"), "There is no agent wallet")
    await page.goBack()
    await page.goBack()
    await page.waitForSelector(`#listed tr[data-key="${tasks[5]!.id}"]`)
    await page.click("text=Back to closed orders")
    await page.waitForSelector("#h-listing:text-is('Closed orders')")
    assert.deepStrictEqual(
      errors.filter((text) => !text.includes("404")),
      []
    )
  })

  it("lists closed orders page by page, narrowed as the reader wants, and keeps that in its address", async () => {
    const tasks = closed(10_000)
    const fake = await fakeOf({ tasks, explanations: tasks.map((one) => explanation(one)) })
    const { page, errors } = await tabAt(fake.url)
    await untilLive(page)
    const rows = page.locator("#listed tbody tr:not(.reason)")
    await page.waitForSelector(`#listed tr[data-key="${tasks[0]!.id}"]`)
    assert.strictEqual(await rows.count(), 25)
    await page.click("text=Older")
    await page.waitForSelector(`#listed tr[data-key="${tasks[25]!.id}"]`)
    assert.strictEqual(await rows.count(), 25)
    await page.click(`#listed tr[data-key="${tasks[25]!.id}"] a`)
    await page.waitForSelector("dialog[open] .timeline")
    await page.keyboard.press("Escape")
    await page.waitForSelector("dialog:not([open])", { state: "attached" })
    assert.strictEqual(await page.locator(`#listed tr[data-key="${tasks[25]!.id}"]`).count(), 1)
    await page.click("text=Newest")
    await page.waitForSelector(`#listed tr[data-key="${tasks[0]!.id}"]`)

    await page.click('#listing-filters [data-status="failed"]')
    await page.waitForSelector(`#listed tbody tr:first-child [data-state="failed"]`)
    assert.strictEqual(await page.locator('#listed [data-state="completed"]').count(), 0)
    await page.fill("#listing-user", "0x12")
    await page.keyboard.press("Enter")
    await page.waitForSelector("text=An address is 0x and 40 hex digits.")
    await page.fill("#listing-user", tasks[10]!.userAddress)
    await page.fill("#listing-token", tasks[0]!.tokenAddress)
    await page.keyboard.press("Enter")
    const ofPerson = tasks.filter(
      ({ status, userAddress }) => status === "failed" && userAddress === tasks[10]!.userAddress
    )
    await page.waitForSelector(`#listed tr[data-key="${ofPerson[24]!.id}"]`)
    // Days are those of the browser.
    const days = await page.evaluate<ReadonlyArray<string>>(
      `${JSON.stringify(ofPerson.map(({ createdAt }) => createdAt))}.map((text) => { const at = new Date(text); return [at.getFullYear(), String(at.getMonth() + 1).padStart(2, "0"), String(at.getDate()).padStart(2, "0")].join("-") })`
    )
    const day = days[5]!
    await page.fill("#listing-from", day)
    await page.fill("#listing-to", day)
    const listed = new Set(ofPerson.filter((_, index) => days[index] === day).slice(0, 25))
    const listsDay = async () => {
      for (const one of ofPerson.slice(0, 60)) {
        const state = listed.has(one) ? "attached" : "detached"
        await page.waitForSelector(`#listed tr[data-key="${one.id}"]`, { state })
      }
      assert.strictEqual(await rows.count(), listed.size)
    }
    await listsDay()
    await page.reload()
    await listsDay()
    assert.strictEqual(await page.inputValue("#listing-from"), day)
    assert.strictEqual(await page.getAttribute('[data-status="failed"]', "aria-pressed"), "true")
    await page.click("#listing-clear")
    await page.waitForSelector(`#listed tr[data-key="${tasks[0]!.id}"]`)
    assert.strictEqual(new URL(page.url()).hash, "#closed=")
    assert.deepStrictEqual(errors, [])
  })

  it("shows an order among the closed ones when it is closed", async () => {
    const fake = await fakeOf({ overview: only(minting(FIRST)), tasks: closed(3) })
    const { page } = await tabAt(fake.url)
    await page.waitForSelector(`#listed tr[data-key="${closed(1)[0]!.id}"]`)
    fake.script.tasks = [minting(FIRST, { status: "completed", completedAt: overview().now }), ...closed(3)]
    fake.emit("task.completed", { taskId: ID })
    await page.waitForSelector(`#listed tr[data-key="${ID}"]`)
    assert.strictEqual(await page.locator("#listed tbody tr").count(), 4)
  })
})
