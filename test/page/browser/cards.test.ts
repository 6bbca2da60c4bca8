import { afterAll, afterEach, assert, beforeAll, describe, it } from "vitest"
import type { Browser } from "playwright-core"
import { type FakeExecutor, type Script, startFake } from "../fakeExecutor.ts"
import { DELIVERIES, explanation, KEYS, LIMITS, minting, overview, WEBHOOKS } from "../sample.ts"
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

const ALL = { overview: overview({ limits: LIMITS }), keys: KEYS, webhooks: WEBHOOKS, deliveries: DELIVERIES }

const opened = async (script: Partial<Script> = {}): Promise<Tab & { readonly fake: FakeExecutor }> => {
  const fake = await startFake({ ...ALL, ...script })
  ends.push(fake.stop)
  const tab = await open(browser, fake.url)
  ends.push(() => tab.context.close())
  return { ...tab, fake }
}

describe("what programs may do and are told, on the page", () => {
  it("is keys, webhooks and what did not arrive, limits and what is left of them", async () => {
    const { page, errors } = await opened()
    await untilLive(page)
    await page.waitForSelector("#keys tbody tr")
    const names = await page.locator("#keys tbody strong").allInnerTexts()
    assert.deepStrictEqual(names, ["shop", "agent-of-ann", "old-shop"], "those that open something come first")
    assert.match(await page.innerText("#keys"), /orders:create, orders:read[\s\S]*no end[\s\S]*revoked \d+ \w+ 2/)
    await page.waitForSelector("#webhooks .failures")
    const told = await page.innerText("#webhooks")
    assert.match(told, /attention\.opened: it answered 503\. 3 attempts, the next in 2\d min/)
    assert.match(told, /10 attempts, given up\s+ai-mint webhooks redeliver d1000003/)
    assert.match(told, /Ended 2 h ago: it answered 410 Gone/)
    assert.strictEqual(await page.locator("#webhooks .failures li").count(), 3, "what was not tried yet is no failure")
    assert.notInclude(told, "redeliver d1000004", "nothing is sent again to an endpoint that has ended")
    const limits = await page.innerText("#limits")
    assert.match(limits, /All payments[\s\S]*1,250\.50[\s\S]*3,749\.50[\s\S]*Token\s+0x[\s\S]*13\.00/)
    assert.strictEqual(await page.locator("#limits [data-urgent]").count(), 1)
    assert.deepStrictEqual(errors, [])
  })

  it("is said where there is none", async () => {
    const { page } = await opened({ overview: overview(), keys: [], webhooks: [], deliveries: [] })
    await untilLive(page)
    await page.waitForSelector("text=There is no key.")
    await page.waitForSelector("text=No webhook is set up.")
    assert.include(await page.innerText("#limits"), "No limit is set.")
  })

  it("is not shown to a key that lacks the scope, which is no error, and is not asked for again", async () => {
    const lacks = "This key may not do that: it lacks the scope webhooks."
    const { page, fake } = await opened({ lacks })
    await page.clock.install()
    await page.reload()
    await untilLive(page)
    await page.waitForSelector(`#keys:has-text("Not shown here. ${lacks}")`)
    await page.waitForSelector(`#webhooks:has-text("Not shown here. ${lacks}")`)
    assert.strictEqual(await page.locator("#banners .banner").count(), 0)
    const asked = () => fake.asked.filter((path) => path === "GET /api/keys").length
    const before = asked()
    await page.clock.fastForward(31_000)
    await page.waitForTimeout(300)
    assert.strictEqual(asked(), before)
    assert.strictEqual(await page.locator("#open tbody tr").count(), overview().open.length)
  })

  it("is the next step of an order, word for word", async () => {
    const order = minting("5c2d9e10")
    const { page, fake } = await opened()
    const { payTo, ...told } = explanation(order).task
    const task = { ...told, payTo, paymentState: "partial", nextAction: "pay", amountDue: "2500000" } as const
    fake.script.explanations = [{ ...explanation(order), task }]
    await page.goto(`${fake.url}/#task=5c2d9e10`)
    await page.waitForSelector("dialog .words")
    assert.match(
      await page.innerText("dialog .words"),
      /paymentState\s+partial\s+nextAction\s+pay\s+amountDue\s+2\.50 USDC/
    )
  })
})
