import { assert, layer } from "@effect/vitest"
import { Clock, Deferred, Duration, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { address } from "../../src/domain/Address.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import * as Postgres from "../support/Postgres.ts"
import { launch, LogLines, inMemory, onWorld, pass, startFor } from "../support/executor.ts"
import { order, paidOrder, PRICE, readBatches, readTask } from "../support/orders.ts"
import { stories } from "../support/stories.ts"
import { World } from "../support/World.ts"
import { logged, settlesAndMints } from "./given.ts"

const NOW = { drainTimeout: Duration.zero }
const names = (count: number) => Array.from({ length: count }, (_, index) => `person ${index}`)

layer(Postgres.session())("the wallets", (it) => {
  const test = stories(it, inMemory())
  const onDatabase = stories(it, onWorld())

  stories(it, inMemory({ mintInterval: Duration.hours(1) }))(
    "a wallet that just became funded starts at once, however long the mint loop sleeps",
    function* (world) {
      const { task } = yield* paidOrder("ann", 5)
      yield* startFor(9)
      assert.strictEqual(world.payments.length, 0)
      yield* pass(1)
      assert.strictEqual(world.payments.length, 1)
      yield* pass(20)
      assert.strictEqual((yield* readTask(task)).status, "completed")
    }
  )

  stories(it, inMemory({ mintInterval: Duration.seconds(30) }))(
    "the next batch of an order starts MINT_INTERVAL after the last one was delivered",
    function* (world) {
      const { task } = yield* paidOrder("ann", 30)
      yield* pass(6)
      yield* startFor(120)
      assert.strictEqual((yield* readTask(task)).status, "completed")
      const pauses = world.sentAtMs.slice(1).map((atMs, index) => atMs - world.sentAtMs[index]!)
      // Six seconds until the payment and its mints are confirmed and seen.
      for (const pause of pauses) assert.oneOf(pause, [34_000, 35_000, 36_000])
      const done = yield* readTask(task)
      assert.isAtMost(done.completed_ms! - world.sentAtMs.at(-1)!, 6_000, "the end of an order waits for nothing")
    }
  )

  onDatabase("a row that another program holds keeps its own order waiting, and no other", function* () {
    const sql = yield* SqlClient.SqlClient
    const [ann, ben] = [yield* paidOrder("ann", 5), yield* paidOrder("ben", 5)]
    const younger = yield* order(ann.who, 3)
    ;(yield* World).deposit(ann.who.agentAddress, usdc(3n * PRICE))
    const held = sql.literal(`'${ann.task}'`)
    yield* sql`
        CREATE OR REPLACE FUNCTION hold_row() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION 'held' USING ERRCODE = '55P03'; END $$`
    yield* sql`
        CREATE TRIGGER held BEFORE INSERT ON ai_agent_batches FOR EACH ROW
        WHEN (NEW.task_id = ${held}) EXECUTE FUNCTION hold_row()`
    yield* pass(6)
    yield* startFor(40)
    for (const task of [ben.task, younger]) assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.deepInclude(yield* readTask(ann.task), { status: "funded", retry_count: 0 })
    assert.isAbove(yield* logged("cannot be written, and waits until it can"), 0)
    assert.strictEqual(yield* logged("Wallets pause"), 0)
    yield* sql`DROP TRIGGER held ON ai_agent_batches`
    yield* pass(30)
    assert.strictEqual((yield* readTask(ann.task)).status, "completed")
  })

  test("many wallets are served side by side, and none waits for an answer that another one gets", function* (world) {
    const busy = { now: 0, most: 0 }
    world.manners.delay = (request) =>
      request === "quote"
        ? Effect.void
        : Effect.acquireUseRelease(
            Effect.sync(() => (busy.most = Math.max(busy.most, ++busy.now))),
            () => Effect.sleep("2 seconds"),
            () => Effect.sync(() => busy.now--)
          )
    const orders = yield* Effect.forEach(names(40), (name) => paidOrder(name, 3))
    yield* pass(6)
    yield* startFor(30)
    for (const { task } of orders) assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.strictEqual(busy.most, 40)
    assert.strictEqual(world.payments.length, 40)
  })

  stories(it, inMemory(NOW))(
    "payments that are never answered complete when the chain shows them, and delay no other",
    function* (world) {
      const silent = address(`0x${"51".repeat(20)}`)
      world.manners.pay = ({ order: { token, quantity }, settle, mint }) => {
        settle()
        mint(quantity)
        return token === silent ? Effect.never : undefined
      }
      const unanswered = yield* Effect.forEach(names(20), (name) => paidOrder(name, 5, { token_address: silent }))
      const answered = yield* Effect.forEach(["ann", "ben", "cid", "dan", "eve"], (name) => paidOrder(name, 5))
      yield* pass(6)
      yield* startFor(20)
      for (const { task } of answered) assert.strictEqual((yield* readTask(task)).status, "completed")
      yield* pass(10)
      for (const { task } of unanswered) assert.strictEqual((yield* readTask(task)).status, "completed")
      assert.strictEqual(world.payments.length, 25)
    }
  )

  stories(it, inMemory(NOW))(
    "a wallet whose price is never told looks after its other payments meanwhile",
    function* (world) {
      const silent = address(`0x${"51".repeat(20)}`)
      world.manners.delay = (_request, { token }) => (token === silent ? Effect.never : Effect.void)
      const { who, task: first } = yield* paidOrder("ann", 5)
      yield* pass(6)
      yield* startFor(2)
      const second = yield* order(who, 5, { token_address: silent })
      world.deposit(who.agentAddress, usdc(5n * PRICE))
      yield* pass(15)
      assert.strictEqual((yield* readTask(second)).status, "processing")
      assert.strictEqual((yield* readTask(first)).status, "completed")
      const third = yield* order(who, 5)
      world.deposit(who.agentAddress, usdc(5n * PRICE))
      yield* pass(30)
      assert.strictEqual((yield* readTask(third)).status, "completed")
    }
  )

  test("a wallet whose server does not answer keeps no other one waiting", function* (world) {
    const slow = address(`0x${"51".repeat(20)}`)
    const answered = yield* Deferred.make<void>()
    world.manners.delay = (_request, { token }) => (token === slow ? Deferred.await(answered) : Effect.void)
    const ann = yield* paidOrder("ann", 5, { token_address: slow })
    const bob = yield* paidOrder("bob", 25)
    yield* startFor(60)
    assert.strictEqual((yield* readTask(bob.task)).status, "completed")
    assert.strictEqual((yield* readTask(ann.task)).status, "processing")
    const late = yield* paidOrder("eve", 5)
    yield* pass(30)
    assert.strictEqual((yield* readTask(late.task)).status, "completed")
    yield* Deferred.succeed(answered, undefined)
    yield* pass(30)
    assert.strictEqual((yield* readTask(ann.task)).status, "completed")
  })

  test("a wallet that meets a defect is left alone for a minute, with an alarm; all others go on", function* (world) {
    const broken = address(`0x${"bb".repeat(20)}`)
    world.manners.quote = ({ token }) => {
      if (token === broken) throw new Error("this cannot be")
      return undefined
    }
    const ann = yield* paidOrder("ann", 5, { token_address: broken })
    const bob = yield* paidOrder("bob", 25)
    yield* pass(6)
    yield* startFor(299)
    assert.strictEqual((yield* readTask(bob.task)).status, "completed")
    assert.strictEqual((yield* readTask(ann.task)).status, "processing")
    const { all } = yield* LogLines
    const alarms = all.filter((line) => line.includes(`🚨 Wallet ${ann.who.walletId} is parked after a defect`))
    assert.strictEqual(alarms.length, 5)
    delete world.manners.quote
    yield* pass(70)
    assert.deepInclude(yield* readTask(ann.task), { status: "completed", retry_count: 0 })
  })

  test("two orders of one token take turns, so that each one's mints can be told apart", function* (world) {
    world.manners.pay = ({ order, settle }) => {
      // The mints come late, and nobody says in which transaction.
      if (!settle()) return { _tag: "Unclear", reason: "no answer" }
      return Effect.as(
        Effect.andThen(
          Effect.sleep("3 seconds"),
          Effect.sync(() => world.mint(order, order.quantity))
        ),
        {
          _tag: "Unclear",
          reason: "no answer"
        } as const
      )
    }
    const first = yield* paidOrder("ann", 7)
    yield* pass(1)
    const second = yield* order(first.who, 12, { status: "pending_payment" })
    world.deposit(first.who.agentAddress, 12_000_000n as never)
    yield* startFor(90)
    for (const [task, quantity] of [
      [first.task, 7],
      [second, 12]
    ] as const) {
      assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: quantity })
    }
    assert.strictEqual(world.payments.length, 3)
  })

  test("a wallet with nothing to do is looked at no more than for late payments, once a minute", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    yield* startFor(40)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    const [asked, quoted] = [world.calls.length, world.quotedAtMs.length]
    world.walletsLookedAt.length = 0
    yield* pass(600)
    assert.deepStrictEqual(
      world.walletsLookedAt,
      Array.from({ length: 10 }, () => who.agentAddress)
    )
    // What concerns everybody is looked at by every sweep: the head, whether USDC moves, and the code that it runs.
    assert.sameMembers([...new Set(world.calls.slice(asked))], ["readBalances", "readHashes", "usdcCode"])
    assert.strictEqual(world.quotedAtMs.length, quoted)
  })
})

layer(Postgres.session())("an executor that is told to stop", (it) => {
  const test = stories(it, onWorld(NOW))

  test("finishes the payment that it is in the middle of, begins no other, and ends", function* (world) {
    world.manners.delay = (request) => (request === "pay" ? Effect.sleep("10 seconds") : Effect.void)
    const orders = yield* Effect.forEach(names(20), (name) => paidOrder(name, 20))
    yield* pass(6)
    const executor = yield* launch()
    yield* pass(1)
    const stopping = yield* Effect.forkChild(executor.stop)
    yield* pass(8)
    assert.isUndefined(stopping.pollUnsafe())
    yield* pass(2)
    assert.isDefined(stopping.pollUnsafe())
    assert.strictEqual(world.payments.length, 20)
    const batches = yield* Effect.forEach(orders, ({ task }) => readBatches(task))
    assert.strictEqual(batches.flat().filter(({ status }) => status === "accepted").length, 20)
    assert.strictEqual(batches.flat().filter(({ status }) => status === "signed").length, 0)
    world.manners.delay = () => Effect.void
    const again = yield* launch(NOW)
    yield* pass(60)
    for (const { task } of orders) assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.strictEqual(world.payments.length, 40)
    yield* again.kill
  })

  test("cuts off a payment that hangs after DRAIN_TIMEOUT, and the next start finds its outcome", function* (world) {
    world.manners.pay = settlesAndMints(5, Effect.never)
    const { who, task } = yield* paidOrder("ann", 5)
    yield* pass(6)
    const executor = yield* launch({ drainTimeout: Duration.seconds(30) })
    yield* pass(1)
    const stopping = yield* Effect.forkChild(executor.stop)
    yield* pass(29)
    assert.isUndefined(stopping.pollUnsafe())
    yield* pass(1)
    assert.isDefined(stopping.pollUnsafe())
    assert.deepStrictEqual(
      (yield* readBatches(task)).map(({ status }) => status),
      ["signed"]
    )
    delete world.manners.pay
    const again = yield* launch(NOW)
    yield* pass(60)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
    assert.strictEqual(world.payments.length, 1)
    yield* again.kill
  })

  test("ends at once where nobody is in the middle of anything", function* () {
    const { task } = yield* paidOrder("ann", 30)
    yield* pass(6)
    const executor = yield* launch({ drainTimeout: Duration.seconds(30) })
    yield* pass(7)
    const before = yield* Clock.currentTimeMillis
    yield* executor.stop
    assert.strictEqual(yield* Clock.currentTimeMillis, before)
    assert.strictEqual((yield* readTask(task)).status, "processing")
  })
})
