import { assert, layer } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { ChainError } from "../../src/chain/ChainClient.ts"
import type { TaskId } from "../../src/domain/Task.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import * as Postgres from "../support/Postgres.ts"
import { launch, onWorld, pass } from "../support/executor.ts"
import { order, paidOrder, person, type Person, readBatches, readTask } from "../support/orders.ts"
import { stories } from "../support/stories.ts"
import { World } from "../support/World.ts"
import { logged, lost, settles, settlesAndMints } from "./given.ts"

const NOW = { drainTimeout: Duration.zero }

const TABLES = [
  "ai_agent_tasks",
  "ai_agent_mint_records",
  "ai_agent_wallet_state",
  "ai_agent_task_state",
  "ai_agent_batches",
  "ai_agent_batch_mints",
  "ai_agent_stray_mints",
  "ai_agent_deposits",
  "ai_agent_deposit_uses",
  "ai_agent_refunds"
] as const

/** What `pg_dump` would have kept now. */
const backup = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const kept = yield* Effect.forEach(TABLES, (table) =>
    Effect.map(
      sql<{ rows: string }>`SELECT coalesce(json_agg(t), '[]')::text AS rows FROM ${sql(table)} t`,
      ([found]) => [table, found!.rows] as const
    )
  )
  return Effect.forEach(kept, ([table, rows]) =>
    Effect.andThen(
      sql`TRUNCATE ${sql(table)}`,
      sql`INSERT INTO ${sql(table)} SELECT * FROM json_populate_recordset(null::${sql(table)}, ${rows}::text::json)`
    )
  )
})

const isDoneOnce = Effect.fnUntraced(function* ({ who, task }: { who: Person; task: TaskId }, quantity: number) {
  const world = yield* World
  assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: quantity, error_message: null })
  assert.strictEqual(world.mintsTo(who.userAddress), quantity)
  assert.strictEqual(world.balance(who.agentAddress), 0n, "paid once, and in full")
})

layer(Postgres.session())("a restored backup", (it) => {
  const story = stories(it, onWorld(NOW))

  for (const batchSize of [10, 4, 25]) {
    story(
      `of before an order was planned imports what was paid since, with batches of ${batchSize} from now on`,
      function* (world) {
        const ann = yield* paidOrder("ann", 30)
        yield* pass(6)
        const first = yield* launch({ ...NOW, mintInterval: Duration.seconds(30) }, (operation, work) =>
          operation === "plan" ? Effect.never : work
        )
        const restore = yield* backup
        assert.strictEqual((yield* readTask(ann.task)).status, "funded")
        yield* first.kill
        const second = yield* launch(NOW)
        yield* pass(16)
        assert.deepInclude(yield* readTask(ann.task), { status: "processing", mints_completed: 20 })
        yield* second.kill
        yield* restore
        assert.deepInclude(yield* readTask(ann.task), { status: "funded", mints_completed: 0 })
        const paidBefore = world.paidBy(ann.who.agentAddress).length
        const third = yield* launch({ ...NOW, maxBatchSize: batchSize })
        yield* pass(60)
        yield* isDoneOnce(ann, 30)
        assert.isTrue((yield* readBatches(ann.task)).every(({ status }) => status === "delivered"))
        assert.isAbove(paidBefore, 1)
        yield* third.kill
      }
    )
  }

  for (const supply of [undefined, 0n]) {
    const state = supply === undefined ? "" : ", though the token is sold out meanwhile"
    story(`of before a batch was signed adopts its payment and does not make it again${state}`, function* (world) {
      const ann = yield* paidOrder("ann", 10)
      yield* pass(6)
      const first = yield* launch(NOW, (operation, work) => (operation === "saveBatch" ? Effect.never : work))
      yield* pass(1)
      assert.deepStrictEqual(
        (yield* readBatches(ann.task)).map(({ status }) => status),
        ["planned"]
      )
      const restore = yield* backup
      yield* first.kill
      const second = yield* launch(NOW)
      yield* pass(20)
      yield* isDoneOnce(ann, 10)
      yield* second.kill
      yield* restore
      world.supply = supply
      const third = yield* launch(NOW)
      yield* pass(60)
      yield* isDoneOnce(ann, 10)
      assert.strictEqual(world.payments.length, 1)
      yield* third.kill
    })
  }

  story("of before an order was paid for finds that it was paid and minted, and does not cancel it", function* (world) {
    const ann = yield* person("ann")
    const task = yield* order(ann, 10)
    const first = yield* launch(NOW)
    yield* pass(15)
    const restore = yield* backup
    world.deposit(ann.agentAddress, usdc(10_000_000n))
    yield* pass(45)
    yield* isDoneOnce({ who: ann, task }, 10)
    yield* first.kill
    yield* restore
    assert.strictEqual((yield* readTask(task)).status, "pending_payment")
    const second = yield* launch(NOW)
    yield* pass(700)
    yield* isDoneOnce({ who: ann, task }, 10)
    assert.strictEqual(world.payments.length, 1)
    yield* second.kill
  })

  story(
    "of before one order was planned and the next one paid for finds both paid, and stops no wallet",
    function* (world) {
      const sql = yield* SqlClient.SqlClient
      const { who, task } = yield* paidOrder("ann", 10)
      const next = yield* order(who, 5)
      yield* pass(6)
      const first = yield* launch(NOW, (operation, work) => (operation === "plan" ? Effect.never : work))
      yield* pass(1)
      assert.strictEqual((yield* readTask(task)).status, "funded")
      const restore = yield* backup
      yield* first.kill
      const second = yield* launch(NOW)
      world.deposit(who.agentAddress, usdc(5_000_000n))
      yield* pass(60)
      assert.strictEqual((yield* readTask(next)).status, "completed")
      yield* second.kill
      yield* restore
      const third = yield* launch(NOW)
      yield* pass(120)
      const [stopped] =
        yield* sql`SELECT count(*)::int AS count FROM ai_agent_wallet_state WHERE stopped_at IS NOT NULL`
      assert.deepEqual(stopped, { count: 0 })
      for (const one of [task, next]) assert.strictEqual((yield* readTask(one)).status, "completed")
      assert.strictEqual(world.mintsTo(who.userAddress), 15)
      assert.strictEqual(world.payments.length, 2)
      yield* third.kill
    }
  )

  stories(it, onWorld({ ...NOW, logLevel: "Info" }))(
    "of before several orders were paid for knows what each has left, and mints the rest of each",
    function* (world) {
      const ann = yield* person("ann")
      const orders = [yield* order(ann, 15), yield* order(ann, 4), yield* order(ann, 12)]
      const first = yield* launch({ ...NOW, maxBatchSize: 3 })
      yield* pass(15)
      const restore = yield* backup
      world.deposit(ann.agentAddress, usdc(31_000_000n))
      yield* pass(45)
      yield* first.kill
      const minted = world.mintsTo(ann.userAddress)
      assert.isAbove(minted, 6)
      assert.isBelow(minted, 31)
      yield* restore
      const second = yield* launch({ ...NOW, maxBatchSize: 3 })
      yield* pass(300)
      for (const id of orders) assert.deepInclude(yield* readTask(id), { status: "completed", error_message: null })
      assert.strictEqual(world.mintsTo(ann.userAddress), 31)
      assert.strictEqual(world.balance(ann.agentAddress), 0n)
      yield* second.kill
    }
  )

  story("imports a payment that cost less than the quote with all the mints that it bought", function* (world) {
    const ann = yield* paidOrder("ann", 20)
    yield* pass(6)
    const first = yield* launch(NOW, (operation, work) => (operation === "plan" ? Effect.never : work))
    const restore = yield* backup
    yield* first.kill
    world.manners.price = ({ quantity }) => usdc(BigInt(quantity) * 499_999n)
    const second = yield* launch(NOW)
    yield* pass(8)
    yield* second.kill
    assert.strictEqual(world.mintsTo(ann.who.userAddress), 10)
    delete world.manners.price
    yield* restore
    const third = yield* launch(NOW)
    yield* pass(60)
    assert.deepInclude(yield* readTask(ann.task), { status: "completed", mints_completed: 20 })
    assert.strictEqual(world.mintsTo(ann.who.userAddress), 20, "and not one more")
    yield* third.kill
  })

  story(
    "leaves to a person what a payment was for that bought no whole number of mints, and pays no more",
    function* (world) {
      const ann = yield* paidOrder("ann", 20)
      yield* pass(6)
      const first = yield* launch(NOW, (operation, work) => (operation === "plan" ? Effect.never : work))
      const restore = yield* backup
      yield* first.kill
      world.manners.price = ({ quantity }) => usdc(BigInt(quantity) * 499_999n)
      world.manners.pay = settles(lost)
      const second = yield* launch(NOW)
      yield* pass(8)
      yield* second.kill
      yield* restore
      const third = yield* launch(NOW)
      yield* pass(60)
      const [batch] = yield* readBatches(ann.task)
      assert.deepInclude(batch, { status: "held", number: 1 })
      const { status, error_message } = yield* readTask(ann.task)
      assert.strictEqual(status, "processing")
      assert.include(error_message, "nobody can tell for how many mints")
      assert.strictEqual(world.paidBy(ann.who.agentAddress).length, 1)
      yield* third.kill
    }
  )

  story(
    "takes no payment for fewer mints than its value pays for at the quoted price, when some are not there yet",
    function* (world) {
      const ann = yield* paidOrder("ann", 20)
      yield* pass(6)
      const first = yield* launch(NOW, (operation, work) => (operation === "plan" ? Effect.never : work))
      const restore = yield* backup
      yield* first.kill
      world.manners.price = ({ quantity }) => usdc(BigInt(quantity) * 1_000_000n - 1n)
      world.manners.pay = settlesAndMints(4, lost)
      const second = yield* launch(NOW)
      yield* pass(8)
      yield* second.kill
      delete world.manners.price
      delete world.manners.pay
      yield* restore
      const third = yield* launch(NOW)
      yield* pass(60)
      assert.include((yield* readTask(ann.task)).error_message, "nobody can tell for how many mints")
      assert.strictEqual(world.paidBy(ann.who.agentAddress).length, 1, "the other 16 are not bought beside it")
      yield* third.kill
    }
  )

  story("that takes payments for still to be made cancels no order whose money is there", function* (world) {
    const ann = yield* paidOrder("ann", 25)
    yield* pass(6)
    const first = yield* launch(NOW)
    yield* pass(3)
    const restore = yield* backup
    yield* pass(60)
    yield* isDoneOnce(ann, 25)
    yield* first.kill
    yield* restore
    const later = yield* order(ann.who, 2)
    world.deposit(ann.who.agentAddress, usdc(2_000_000n))
    // The chain is out of reach for the wallets, and not for the sweep.
    const noLogs = new ChainError({ reason: "Unavailable", operation: "read", detail: "503" })
    world.onChainCall = (call) => (call === "readAuthorizations" ? Effect.fail(noLogs) : Effect.void)
    const second = yield* launch(NOW)
    yield* pass(700)
    assert.strictEqual((yield* readTask(later)).status, "pending_payment")
    world.onChainCall = () => Effect.void
    yield* pass(120)
    assert.strictEqual((yield* readTask(later)).status, "completed")
    assert.strictEqual(world.mintsTo(ann.who.userAddress), 27)
    yield* second.kill
  })

  story("of the middle of a payment finds it by the window it was signed in", function* (world) {
    const ann = yield* paidOrder("ann", 10)
    world.manners.pay = () => lost
    yield* pass(6)
    const first = yield* launch(NOW)
    yield* pass(1)
    const restore = yield* backup
    delete world.manners.pay
    yield* pass(60)
    yield* isDoneOnce(ann, 10)
    yield* first.kill
    yield* pass(600)
    yield* restore
    const second = yield* launch(NOW)
    yield* pass(60)
    yield* isDoneOnce(ann, 10)
    assert.strictEqual(world.paidBy(ann.who.agentAddress).length, 1)
    yield* second.kill
  })

  story(
    "of before an order was paid does not fund it with money that is spent, and pays nothing again",
    function* (world) {
      const ann = yield* paidOrder("ann", 10)
      const restore = yield* backup
      yield* pass(6)
      const first = yield* launch(NOW)
      yield* pass(20)
      yield* isDoneOnce(ann, 10)
      yield* first.kill
      yield* restore
      const second = yield* launch(NOW)
      yield* pass(700)
      assert.strictEqual(world.paidBy(ann.who.agentAddress).length, 1)
      assert.strictEqual(world.mintsTo(ann.who.userAddress), 10)
      yield* second.kill
    }
  )

  story("whose payments no log explains waits and pays nothing, until a node has the logs", function* (world) {
    const ann = yield* paidOrder("ann", 10)
    yield* pass(6)
    const first = yield* launch(NOW, (operation, work) => (operation === "saveBatch" ? Effect.never : work))
    yield* pass(1)
    const restore = yield* backup
    yield* first.kill
    const second = yield* launch(NOW)
    yield* pass(20)
    yield* second.kill
    yield* restore
    world.onChainCall = (call) =>
      call === "readAuthorizations"
        ? new ChainError({ reason: "Rejected", operation: "look up authorizations", detail: "range too large" })
        : Effect.void
    const third = yield* launch(NOW)
    yield* pass(100)
    assert.strictEqual(world.payments.length, 1)
    assert.isAbove(yield* logged("⚠️ Wallets pause for"), 0)
    world.onChainCall = () => Effect.void
    yield* pass(90)
    yield* isDoneOnce(ann, 10)
    yield* third.kill
  })

  story("is not needed for another MAX_BATCH_SIZE: an order keeps the batches that it was cut into", function* () {
    const ann = yield* paidOrder("ann", 30)
    yield* pass(6)
    const first = yield* launch(NOW)
    yield* pass(8)
    yield* first.kill
    const second = yield* launch({ ...NOW, maxBatchSize: 3 })
    yield* pass(60)
    yield* isDoneOnce(ann, 30)
    assert.deepStrictEqual(
      (yield* readBatches(ann.task)).map(({ quantity }) => quantity),
      [10, 10, 10]
    )
    yield* second.kill
  })
})
