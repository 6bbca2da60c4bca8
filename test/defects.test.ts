import { assert, layer } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { ChainError } from "../src/chain/ChainClient.ts"
import { usdc } from "../src/domain/Usdc.ts"
import { NoOffer } from "../src/mint/Minter.ts"
import * as Postgres from "./support/Postgres.ts"
import { onWorld, pass, start, startFor } from "./support/executor.ts"
import { editTask, order, paidOrder, person, readTask, TOKEN, unpaidOrder } from "./support/orders.ts"
import { stories } from "./support/stories.ts"

const rpcDown = new ChainError({ reason: "Unavailable", operation: "read balances", detail: "503" })

/** What executor v1.1 did to people and their money (L4 to L26), and must never happen again. */
layer(Postgres.session())("defects of v1.1", (it) => {
  const test = stories(it, onWorld())

  test("money that a running order still needs pays for no other order of the wallet", function* (world) {
    const { who, task } = yield* paidOrder("ann", 20)
    yield* startFor(12)
    assert.strictEqual((yield* readTask(task)).status, "processing")
    assert.isAbove(Number(world.balance(who.agentAddress)), 5_000_000, "enough for the next one, and not free")
    const next = yield* order(who, 5)
    yield* pass(60)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.strictEqual((yield* readTask(next)).status, "pending_payment")
    world.deposit(who.agentAddress, usdc(5_000_000n))
    yield* pass(40)
    assert.strictEqual((yield* readTask(next)).status, "completed")
    assert.strictEqual(world.mintsTo(who.userAddress), 25)
  })

  test("an order that was paid to the cent is minted, and not an older unpaid one with its money", function* (world) {
    const { who: ann, task: older } = yield* unpaidOrder("ann", 4)
    yield* startFor(20)
    const newer = yield* order(ann, 6)
    world.deposit(ann.agentAddress, usdc(6_000_000n))
    yield* pass(40)
    assert.strictEqual((yield* readTask(newer)).status, "completed")
    assert.strictEqual((yield* readTask(older)).status, "pending_payment")
    yield* pass(570)
    assert.strictEqual((yield* readTask(older)).status, "cancelled")
    assert.strictEqual(world.mintsTo(ann.userAddress), 6)
  })

  test("an order is funded after errors of the RPC, however many, and no retry is counted", function* (world) {
    const { task } = yield* paidOrder("ann", 5)
    const unpaid = yield* order(yield* person("bob"), 5)
    world.chainFault = rpcDown
    yield* startFor(60)
    for (const id of [task, unpaid]) {
      const { status, retry_count } = yield* readTask(id)
      assert.deepStrictEqual({ status, retry_count }, { status: "pending_payment", retry_count: 0 })
    }
    world.chainFault = undefined
    yield* pass(40)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    yield* pass(520)
    const cancelled = yield* readTask(unpaid)
    assert.deepInclude(cancelled, { status: "cancelled", retry_count: 0 })
  })

  test("an order that v1.1 left pending with its retries used up is funded when it is paid", function* () {
    const { task } = yield* paidOrder("ann", 5, { retry_count: 3, error_message: "Check error" })
    yield* startFor(30)
    assert.deepInclude(yield* readTask(task), { status: "completed", retry_count: 0, error_message: null })
  })

  test("a failed order that an operator sets to funded is minted, though its retries were used up", function* (world) {
    const { who, task } = yield* paidOrder("ann", 15, { status: "failed", retry_count: 3 })
    yield* startFor(60)
    assert.strictEqual((yield* readTask(task)).status, "failed", "nothing but a person revives it")
    yield* editTask(task, { status: "funded" })
    yield* pass(40)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 15, retry_count: 0 })
    assert.strictEqual(world.mintsTo(who.userAddress), 15)
  })

  test("an order that failed half way is finished after a retry, and nothing of it is paid twice", function* (world) {
    const { who, task } = yield* paidOrder("ann", 15)
    const refusal = new NoOffer({ reason: "Refused", message: "mint server answered 400: closed" })
    yield* startFor(14)
    world.manners.quote = () => refusal
    yield* pass(60)
    assert.deepInclude(yield* readTask(task), {
      status: "failed",
      mints_completed: 10,
      mints_failed: 5,
      retry_count: 3,
      error_message: "Exceeded retry limit after 3 attempts. Last error: mint server answered 400: closed"
    })
    world.manners.quote = () => undefined
    yield* editTask(task, { status: "funded" })
    yield* pass(30)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 15, error_message: null })
    assert.strictEqual(world.paidBy(who.agentAddress).length, 2)
    assert.strictEqual(world.mintsTo(who.userAddress), 15)
  })

  stories(it, onWorld({ maxBatchSize: 2 }))(
    "an order of many batches survives a refusal before every one of them",
    function* (world) {
      const { who, task } = yield* paidOrder("ann", 12)
      let isRefusing = true
      world.manners.quote = () => {
        isRefusing = !isRefusing
        return isRefusing ? undefined : new NoOffer({ reason: "Refused", message: "not now" })
      }
      yield* startFor(13)
      assert.deepInclude(yield* readTask(task), { retry_count: 1, error_message: "Retry 1/3: not now" })
      yield* pass(200)
      assert.deepInclude(yield* readTask(task), { status: "completed", retry_count: 0, mints_completed: 12 })
      assert.strictEqual(world.paidBy(who.agentAddress).length, 6)
    }
  )

  test("an order left in processing with every mint counted is completed and nothing is paid", function* (world) {
    const ann = yield* person("ann")
    const task = yield* order(ann, 7, { status: "processing", mints_completed: 7 })
    yield* startFor(5)
    const done = yield* readTask(task)
    assert.deepInclude(done, { status: "completed", error_message: null })
    assert.strictEqual(done.completed_ms, (yield* Clock.currentTimeMillis) - 5_000)
    assert.strictEqual(world.payments.length, 0)
  })

  test("an order paid in time is funded when we come back after an outage longer than the timeout", function* (world) {
    const { who: ann, task } = yield* unpaidOrder("ann", 5)
    const unpaid = yield* order(yield* person("bob"), 5)
    yield* pass(60)
    world.deposit(ann.agentAddress, usdc(5_000_000n))
    yield* pass(1_200)
    yield* startFor(1)
    assert.strictEqual((yield* readTask(task)).status, "processing")
    assert.strictEqual((yield* readTask(unpaid)).status, "cancelled")
    yield* pass(20)
    assert.strictEqual((yield* readTask(task)).status, "completed")
  })

  test("an order that its person cancels in the middle of a look is neither funded nor minted", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    const sql = yield* SqlClient.SqlClient
    // Whoever pays and cancels in the same seconds: the balance is read, the row changes, then the verdict is written.
    world.onChainCall = (call) =>
      call === "readBalances"
        ? sql`UPDATE ai_agent_tasks SET status = 'cancelled' WHERE id = ${task}::uuid`.pipe(Effect.orDie, Effect.asVoid)
        : Effect.void
    yield* startFor(60)
    assert.deepInclude(yield* readTask(task), { status: "cancelled", funding_tx_hash: null })
    assert.strictEqual(world.payments.length, 0)
    assert.strictEqual(world.balance(who.agentAddress), 5_000_000n)
  })

  test("a running order that its person cancels is not paid any further, and stays cancelled", function* (world) {
    const { who, task } = yield* paidOrder("ann", 20)
    yield* startFor(11)
    yield* editTask(task, { status: "cancelled" })
    yield* pass(120)
    const { status, mints_completed } = yield* readTask(task)
    assert.deepStrictEqual({ status, mints_completed }, { status: "cancelled", mints_completed: 10 })
    assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
    assert.strictEqual(world.mintsTo(who.userAddress), 10)
    const next = yield* order(who, 10)
    yield* pass(40)
    assert.strictEqual((yield* readTask(next)).status, "completed", "what it did not need is free again")
  })

  test("a thousand unpaid orders do not hide a newer one that is paid", function* (world) {
    const sql = yield* SqlClient.SqlClient
    for (let count = 0; count < 20; count++) {
      const { walletId, userAddress } = yield* person(`idler ${count}`)
      yield* sql`
          INSERT INTO ai_agent_tasks
            (agent_wallet_id, user_address, token_address, quantity, price_per_mint, total_cost, created_at)
          SELECT ${walletId}::uuid, ${userAddress}, ${TOKEN}, 1, 1000000, 1000000,
            to_timestamp(${yield* Clock.currentTimeMillis}::float8 / 1000)
          FROM generate_series(1, 50)`
    }
    const { task } = yield* paidOrder("ann", 5)
    yield* pass(6)
    yield* start
    assert.strictEqual((yield* readTask(task)).status, "processing", "at the first sweep")
    assert.strictEqual(world.calls.filter((call) => call === "readBalances").length, 2, "one for all, one to plan")
    yield* pass(20)
    assert.strictEqual((yield* readTask(task)).status, "completed")
  })
})
