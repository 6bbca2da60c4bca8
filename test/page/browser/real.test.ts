import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { join } from "node:path"
import { findSandbox } from "../../../src/sandbox/sandboxFile.ts"
import { closedPort, startExecutor, temporaryDirectory, TIMEOUT_MS } from "../../e2e/support.ts"
import { launch, open, untilLive } from "./browser.ts"

const QUICK = { CHECK_INTERVAL: "500ms", MINT_INTERVAL: "500ms" }

const browserOf = Effect.acquireRelease(Effect.promise(launch), (browser) => Effect.promise(() => browser.close()))

/** Orders and pays as a person and their agent would. */
const placeOrder = Effect.fnUntraced(function* (directory: string, quantity: number) {
  const { serverUrl } = yield* findSandbox(join(directory, ".data"))
  const answer = yield* Effect.promise(async () => {
    const response = await fetch(`${serverUrl}/sandbox/orders`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ quantity, pay: "now" })
    })
    return (await response.json()) as { readonly taskId: string }
  })
  return answer.taskId
})

const STORY = ["Ordered: 3 mint", "3.00 USDC arrived", "Batch 1: 3.00 USDC paid", "Completed: 3 of 3"]

describe("the page of a running executor", () => {
  it.live(
    "shows an order from its payment to its tokens, and goes on when the executor was restarted",
    () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const port = String(yield* closedPort)
        const executor = yield* startExecutor(directory, { ...QUICK, OPS_PORT: port })
        yield* executor.line("Page and API")
        const url = `http://127.0.0.1:${port}`
        const browser = yield* browserOf
        const { page, errors, hosts } = yield* Effect.promise(() => open(browser, url))
        yield* Effect.promise(() => untilLive(page))

        const id = yield* placeOrder(directory, 3)
        yield* Effect.promise(async () => {
          await page.fill("#named", id.slice(0, 8))
          await page.keyboard.press("Enter")
          await page.waitForSelector('dialog[open] h2 [data-state="completed"]', { timeout: 60_000 })
          const story = await page.innerText("dialog .timeline")
          for (const words of STORY) assert.include(story, words)
          assert.isAtLeast(await page.locator("dialog .timeline [data-copy^='0x']").count(), 2)
          await page.keyboard.press("Escape")
          await page.waitForSelector('#order-totals tr[data-key="completed"] td >> text=2', { timeout: 20_000 })
        })
        assert.deepStrictEqual(errors, [])
        assert.deepStrictEqual([...hosts], [`127.0.0.1:${port}`])

        yield* executor.kill("SIGINT")
        yield* executor.ended
        yield* Effect.promise(() => page.waitForSelector('[data-live="offline"]'))
        yield* startExecutor(directory, { ...QUICK, OPS_PORT: port })
        yield* Effect.promise(() => page.waitForSelector('[data-live="live"]', { timeout: 60_000 }))
        assert.match(yield* Effect.promise(() => page.innerText("#open")), /No order is open/)
      }),
    TIMEOUT_MS
  )
})
