import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { encodeFunctionData } from "viem"
import { vi } from "vitest"
import { roles } from "../../src/sandbox/DevChain.ts"
import { usdcAbi } from "../../src/sandbox/usdcDeployment.ts"
import { migrate } from "../../src/ledger/migrate.ts"
import { serve } from "../mint/v1Server.ts"
import { clientAt } from "../support/LedgerSql.ts"
import { type Person, person } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { type BaseSepolia, deployment, openBaseSepolia, TOKEN, USDC } from "./baseSepolia.ts"
import { eventually, mintsTo, paymentsFrom, startExecutor, temporaryDirectory, TIMEOUT_MS } from "./support.ts"

vi.mock(import("../../src/config/Network.ts"), async (original) => {
  const networks = await original()
  return { ...networks, local: { ...networks.baseSepolia, blockSeconds: 1 } }
})

vi.setConfig({ testTimeout: TIMEOUT_MS })

class World extends Context.Service<World, BaseSepolia>()("test/e2e/World") {
  static readonly layer = Layer.effect(this, openBaseSepolia)
}

/** What a person is told that a mint costs, and what v1.1's server makes of it with its float. */
const QUOTED = 8_200_000n
const DEMANDED = 8_199_999n

/** An order that is paid for to the cent. */
const paidOrder = Effect.fnUntraced(function* (name: string, quantity: number) {
  const { chain } = yield* World
  const sql = yield* SqlClient.SqlClient
  const who = yield* person(name)
  const cost = QUOTED * BigInt(quantity)
  const [row] = yield* sql<{ readonly id: string }>`INSERT INTO ai_agent_tasks ${sql.insert({
    user_address: who.userAddress,
    agent_wallet_id: who.walletId,
    token_address: TOKEN,
    quantity,
    price_per_mint: QUOTED,
    total_cost: cost
  })} RETURNING id`
  const data = encodeFunctionData({ abi: usdcAbi, functionName: "mint", args: [who.agentAddress, cost] })
  const hash = yield* chain.send("pay", roles.treasury, { to: USDC, data, gas: 1_000_000n })
  yield* chain.mine(1)
  yield* chain.receipt("pay", hash)
  return { who, task: row?.id ?? "" }
})

interface BatchRow {
  readonly status: string
  readonly reason: string | null
  readonly reference: string | null
}

const batchOf = Effect.fnUntraced(function* (task: string) {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<BatchRow>`
    SELECT status, reason, reference FROM ai_agent_batches WHERE task_id = ${task}::uuid`
  return rows[0]
})

const untilCompleted = Effect.fnUntraced(function* (task: string, tell: () => string) {
  const sql = yield* SqlClient.SqlClient
  const done = sql`SELECT 1 FROM ai_agent_tasks WHERE id = ${task}::uuid AND status = 'completed'`
  yield* eventually(
    "the order is completed",
    Effect.map(done, (rows) => rows[0]),
    tell
  )
})

const assertOnce = Effect.fnUntraced(function* (who: Person, quantity: number) {
  const { chain } = yield* World
  assert.deepStrictEqual(yield* paymentsFrom(chain, USDC, who.agentAddress), [DEMANDED * BigInt(quantity)])
  assert.strictEqual(yield* mintsTo(chain, TOKEN, who.userAddress), quantity)
})

layer(World.layer, { timeout: TIMEOUT_MS, excludeTestServices: true })("the mint server of v1.1", (it) => {
  it.effect("is paid to its float's cent, once, and asked about what it has not settled yet", () =>
    Effect.gen(function* () {
      const world = yield* World
      const server = yield* serve(world.chain, new Map([[TOKEN, "8.2 USDC"]]))
      const url = yield* Postgres.freshDatabase()
      yield* Effect.gen(function* () {
        yield* migrate
        const settings = { ...deployment(world, url), SERVER_URL: server.url, MINT_PROTOCOL: "v1", LOG_LEVEL: "DEBUG" }
        const executor = yield* startExecutor(yield* temporaryDirectory, settings)
        const tell = () => executor.said.stdout
        yield* executor.line("Monitoring for funded tasks...")

        const first = yield* paidOrder("ann", 3)
        yield* untilCompleted(first.task, tell)
        yield* assertOnce(first.who, 3)

        server.manners.answersLate = true
        const second = yield* paidOrder("bob", 2)
        const batch = yield* eventually(
          "the batch is unknown, with the server's word on it",
          Effect.map(batchOf(second.task), (row) => (row?.reason?.includes("pending") ? row : undefined)),
          tell
        )
        assert.deepInclude(batch, { status: "unknown", reference: "2" })
        yield* server.settleLate
        yield* untilCompleted(second.task, tell)
        yield* assertOnce(second.who, 2)
        assert.lengthOf(server.requests, 2)
      }).pipe(Effect.provide(clientAt(url, 2), { local: true }))
    })
  )
})
