import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { ChainError } from "../../src/chain/ChainClient.ts"
import { address } from "../../src/domain/Address.ts"
import { LogLines, onWorld, pass, start, startFor } from "../support/executor.ts"
import * as Postgres from "../support/Postgres.ts"
import { order, paidOrder, person, readTask, unpaidOrder } from "../support/orders.ts"
import { stories } from "../support/stories.ts"
import { books, units } from "./given.ts"

const THIEF = address(`0x${"bad0".repeat(10)}`)

interface DepositView {
  readonly amount: bigint
  readonly remaining: bigint
}

const deposits = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql<DepositView>`SELECT amount, remaining FROM ai_agent_deposits ORDER BY block, tx_hash`
)

/** What was paid, and how much of it is nobody's yet, in whole USDC. */
const history = Effect.map(deposits, (rows) =>
  rows.map(({ amount, remaining }) => [Number(amount) / 1e6, Number(remaining) / 1e6])
)

const said = Effect.map(LogLines, ({ all }) => all.filter((line) => line.includes("💵")))

layer(Postgres.session())("the deposits of a wallet", (it) => {
  const test = stories(it, onWorld())

  test("are remembered, with what each order was paid with", function* (world) {
    const { who: ann, task } = yield* unpaidOrder("ann", 5)
    yield* startFor(10)
    const tx = world.deposit(ann.agentAddress, units(5))
    yield* pass(40)
    assert.deepInclude(yield* readTask(task), { status: "completed", funding_tx_hash: tx })
    assert.deepStrictEqual(yield* history, [[5, 0]])
    assert.strictEqual((yield* books)?.book_balance, 0n, "deposit and payments add up to what the chain shows")
    assert.lengthOf(yield* said, 1)
  })

  test("that are too small and come twice pay together, and the rest of the second stays credit", function* (world) {
    const { who: ann, task } = yield* unpaidOrder("ann", 5)
    yield* start
    world.deposit(ann.agentAddress, units(2))
    yield* pass(20)
    const second = world.deposit(ann.agentAddress, units(4))
    yield* pass(40)
    assert.deepInclude(yield* readTask(task), { status: "completed", funding_tx_hash: second })
    assert.deepStrictEqual(yield* history, [
      [2, 0],
      [4, 1]
    ])
    const next = yield* order(ann, 1)
    yield* pass(30)
    assert.strictEqual((yield* readTask(next)).status, "completed", "the credit pays for it")
    assert.deepStrictEqual((yield* history)[1], [4, 0])
  })

  stories(it, onWorld({ logLevel: "Info" }))(
    "that come too late are seen, told and kept as credit for the next order",
    function* (world) {
      const { who: ann, task } = yield* unpaidOrder("ann", 5)
      yield* startFor(620)
      assert.strictEqual((yield* readTask(task)).status, "cancelled")
      world.deposit(ann.agentAddress, units(5))
      yield* pass(80)
      assert.strictEqual((yield* readTask(task)).status, "cancelled")
      assert.deepStrictEqual(yield* history, [[5, 5]])
      assert.include((yield* said)[0], "5.00 USDC arrived in")
      assert.include((yield* said)[0], "it is the wallet's credit")
      const next = yield* order(ann, 5)
      yield* pass(40)
      assert.strictEqual((yield* readTask(next)).status, "completed")
    }
  )

  test("are searched for only where a balance is not what the books say", function* (world) {
    const ann = yield* person("ann")
    yield* order(ann, 5)
    yield* startFor(10)
    const asked = world.calls.length
    yield* pass(60)
    const calls = new Set(world.calls.slice(asked))
    const questions = ["readBalances", "usdcCode", "readAuthorizations", "readHashes"] as const
    assert.deepStrictEqual(calls, new Set(questions))
  })

  test("that cannot be read for a while are all there afterwards, once", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    const noLogs = new ChainError({ reason: "Unavailable", operation: "find deposits", detail: "503" })
    world.onChainCall = (call) => (call === "findDeposits" ? Effect.fail(noLogs) : Effect.void)
    yield* startFor(40)
    assert.deepInclude(yield* readTask(task), { status: "completed", funding_tx_hash: "auto_funded" })
    world.onChainCall = () => Effect.void
    world.deposit(who.agentAddress, units(3))
    yield* pass(90)
    assert.strictEqual((yield* books)?.book_balance, 3_000_000n)
  })
})

layer(Postgres.session())("a wallet from which money went that nobody here sent", (it) => {
  const test = stories(it, onWorld({ logLevel: "Info" }))

  test("is stopped, says so on its orders, and pays nobody", function* (world) {
    const { who: ann, task } = yield* unpaidOrder("ann", 5)
    world.deposit(ann.agentAddress, units(4))
    yield* startFor(20)
    world.spend(ann.agentAddress, THIEF, units(1))
    yield* pass(20)
    assert.include((yield* books)?.stopped_reason, `1.00 USDC went to ${THIEF}`)
    const { status, error_message } = yield* readTask(task)
    assert.strictEqual(status, "pending_payment")
    assert.include(error_message, "Held for the operator: the agent wallet is stopped")
    world.deposit(ann.agentAddress, units(2))
    yield* pass(700)
    assert.strictEqual((yield* readTask(task)).status, "pending_payment", "neither funded nor cancelled")
    assert.strictEqual(world.payments.length, 0)
  })

  test("is not stopped while nobody can tell where the money went", function* (world) {
    const { who: ann, task } = yield* unpaidOrder("ann", 5)
    world.deposit(ann.agentAddress, units(4))
    yield* startFor(20)
    world.spend(ann.agentAddress, THIEF, units(1))
    const noLogs = new ChainError({ reason: "Unavailable", operation: "find spending", detail: "503" })
    world.onChainCall = (call) => (call === "findSpending" ? Effect.fail(noLogs) : Effect.void)
    yield* pass(700)
    assert.strictEqual((yield* books)?.stopped_reason, null)
    assert.strictEqual((yield* readTask(task)).status, "pending_payment", "what is unclear cancels nothing")
  })
})

layer(Postgres.session())("the deposits after a restored backup", (it) => {
  const test = stories(it, onWorld({ logLevel: "Info" }))

  test("are counted once each, and an order that is not paid is cancelled in time", function* (world) {
    const sql = yield* SqlClient.SqlClient
    const { who, task } = yield* paidOrder("ann", 5)
    yield* startFor(40)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    // The ledger is as it was before the order was paid for, with its books open.
    yield* sql`DELETE FROM ai_agent_batches`
    yield* sql`DELETE FROM ai_agent_batch_mints`
    yield* sql`DELETE FROM ai_agent_mint_records`
    yield* sql`DELETE FROM ai_agent_deposits`
    yield* sql`UPDATE ai_agent_tasks SET status = 'pending_payment', mints_completed = 0, started_at = NULL, completed_at = NULL`
    yield* sql`UPDATE ai_agent_task_state SET reserved_at_block = NULL`
    yield* sql`UPDATE ai_agent_wallet_state SET book_balance = 0, opened_block = 20, counted_block = 20, proven_block = 0`
    yield* pass(700)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 5 })
    assert.strictEqual((yield* books)?.book_balance, 0n)
    assert.deepStrictEqual(yield* history, [[5, 0]])
    assert.strictEqual(world.payments.length, 1)
    const unpaid = yield* order(who, 2)
    yield* pass(700)
    assert.strictEqual((yield* readTask(unpaid)).status, "cancelled")
  })
})
