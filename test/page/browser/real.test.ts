import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { existsSync } from "node:fs"
import { join } from "node:path"
import type { Page } from "playwright-core"
import { findSandbox } from "../../../src/sandbox/sandboxFile.ts"
import { closedPort, startExecutor, temporaryDirectory, TIMEOUT_MS } from "../../e2e/support.ts"
import { clientAt } from "../../support/LedgerSql.ts"
import { startPostgres } from "../../support/postgresServer.ts"
import { launch, open, untilLive } from "./browser.ts"

const QUICK = { CHECK_INTERVAL: "500ms", MINT_INTERVAL: "500ms" }

const KEY = { AGENT_ENCRYPTION_KEY: "5f".repeat(32) }

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

/** What a shell would carry out, where it stood in a command. */
const HOSTILE = "$(id>/tmp/owned)"

/** A person's order on a wallet whose row another program has filled with text for a shell; the wallet is stopped, too. */
const placeHostileOrder = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const id = "77777777-7777-4777-8777-777777777777"
  yield* sql`
    INSERT INTO ai_agent_wallets (id, user_address, agent_address, encrypted_private_key)
    VALUES (${id}::uuid, ${`\`${HOSTILE}\`;ls`}, ${HOSTILE}, 'none')`
  yield* sql`
    INSERT INTO ai_agent_wallet_state (wallet_id, stopped_at, stopped_reason)
    VALUES (${id}::uuid, now(), ${`money went to ${HOSTILE}`})`
  const rows = yield* sql<{ readonly id: string }>`
    INSERT INTO ai_agent_tasks (user_address, agent_wallet_id, token_address, quantity, price_per_mint, total_cost)
    VALUES (${`\`${HOSTILE}\`;ls`}, ${id}::uuid, ${HOSTILE}, 1, 1, 1) RETURNING id`
  return rows[0]?.id ?? ""
})

/** All that one click puts on the clipboard. */
const offeredOn = (page: Page): Promise<ReadonlyArray<string>> =>
  page.locator("[data-copy]").evaluateAll((all) => all.map((one) => one.getAttribute("data-copy") ?? ""))

/** A command of words that mean themselves to a shell, or the hex or the id of something. */
const HARMLESS = /^(?:npm run -s ai-mint --(?: (?:[A-Za-z0-9._,:=/-]+|"…"))+|(?:0x)?[0-9a-f-]+)$/

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
          const txs = await page
            .locator("dialog .timeline [data-copy^='0x']")
            .evaluateAll((all) => all.map((one) => one.getAttribute("data-copy") ?? ""))
          for (const tx of new Set(txs)) {
            await page.fill("#named", tx)
            await page.keyboard.press("Enter")
            await page.waitForSelector(`#h-listing:has-text("${tx.slice(0, 6)}")`)
            await page.waitForSelector(`#listed tr[data-key="${id}"]`)
          }
          await page.click("text=Back to closed orders")
          await page.waitForSelector(`#listed tr[data-key="${id}"]`)
          await page.waitForSelector("#keys:has-text('There is no key.')")
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

  it.live(
    "offers nothing for copying in which a shell could find something to do, whatever stands in the tables",
    () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const port = String(yield* closedPort)
        const postgres = yield* Effect.acquireRelease(
          Effect.promise(() => startPostgres()),
          ({ stop }) => Effect.promise(stop)
        )
        const DATABASE_URL = `${postgres.url}/postgres`
        const executor = yield* startExecutor(directory, { ...QUICK, OPS_PORT: port, DATABASE_URL, ...KEY })
        yield* executor.line("Page and API")
        const id = yield* placeHostileOrder.pipe(Effect.provide(clientAt(DATABASE_URL, 1)))
        yield* executor.line(`Task ${id.slice(0, 8)} is held`)
        const browser = yield* browserOf
        const { page, errors } = yield* Effect.promise(() => open(browser, `http://127.0.0.1:${port}`))
        yield* Effect.promise(async () => {
          await untilLive(page)
          await page.waitForSelector('.alert[data-kind="held"]')
          await page.waitForSelector('.alert[data-kind="stopped"]')
          const shown = await page.innerText("#attention")
          assert.include(shown, HOSTILE, "it is shown as the text that it is")
          await page.fill("#named", id.slice(0, 8))
          await page.keyboard.press("Enter")
          await page.waitForSelector("dialog[open] .timeline")
          const offered = await offeredOn(page)
          assert.isAtLeast(offered.filter((text) => text.startsWith("npm run -s ai-mint -- ")).length, 3)
          assert.deepStrictEqual(
            offered.filter((text) => !HARMLESS.test(text)),
            []
          )
        })
        assert.deepStrictEqual(errors, [])
        assert.isFalse(existsSync("/tmp/owned"))
      }),
    TIMEOUT_MS
  )

  it.live(
    "shows the reference of the API to who has the token",
    () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const port = String(yield* closedPort)
        const OPS_TOKEN = "a-token-of-operators-0123456789"
        const executor = yield* startExecutor(directory, { ...QUICK, OPS_PORT: port, OPS_TOKEN })
        yield* executor.line("Page and API")
        const browser = yield* browserOf
        const { page, hosts } = yield* Effect.promise(() => open(browser, `http://127.0.0.1:${port}/docs`))
        yield* Effect.promise(async () => {
          await page.waitForSelector("#ask:not([hidden])")
          assert.include(await page.innerText("#said"), "asks for its token")
          await page.fill("#token", "wrong")
          await page.keyboard.press("Enter")
          await page.waitForSelector("text=This token is not the right one.")
          await page.fill("#token", OPS_TOKEN)
          await page.keyboard.press("Enter")
          await page.waitForSelector(`text="/api/tasks"`, { timeout: 60_000 })
        })
        assert.deepStrictEqual([...hosts], [`127.0.0.1:${port}`])
      }),
    TIMEOUT_MS
  )
})
