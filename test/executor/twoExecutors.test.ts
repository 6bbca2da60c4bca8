import { assert, layer } from "@effect/vitest"
import { Deferred, Duration, Effect } from "effect"
import { SqlClient } from "effect/sql"
import type { TaskId } from "../../src/domain/Task.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import * as Postgres from "../support/Postgres.ts"
import { launch, LogLines, onWorld, pass } from "../support/executor.ts"
import { order, paidOrder, type Person, readTask, unpaidOrder } from "../support/orders.ts"
import { stories } from "../support/stories.ts"
import { World } from "../support/World.ts"
import { logged } from "./given.ts"

const NOW = { drainTimeout: Duration.zero }

const isDoneOnce = Effect.fnUntraced(function* ({ who, task }: { who: Person; task: TaskId }, quantity: number) {
  const world = yield* World
  assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: quantity, retry_count: 0 })
  assert.strictEqual(world.mintsTo(who.userAddress), quantity)
  assert.strictEqual(world.balance(who.agentAddress), 0n)
})

layer(Postgres.session())("two executors on one database", (it) => {
  const test = stories(it, onWorld(NOW))

  for (const [name, seconds] of [
    ["answers at once", 0],
    ["takes its time", 7],
    ["is slower than both wait for", 80]
  ] as const) {
    test(`pay every batch once, and complete every order, where the server ${name}`, function* (world) {
      const orders = yield* Effect.forEach(["ann", "bob", "eve", "joe", "kim"], (who) => paidOrder(who, 25))
      world.manners.delay = (request) => (request === "pay" ? Effect.sleep(seconds * 1_000) : Effect.void)
      yield* pass(6)
      const executors = [yield* launch(NOW), yield* launch(NOW)]
      yield* pass(60 + seconds * 8)
      for (const one of orders) yield* isDoneOnce(one, 25)
      assert.strictEqual(world.transfers.filter(({ from }) => from !== "0x".padEnd(42, "0")).length, 5 * 3)
      const { all } = yield* LogLines
      assert.deepStrictEqual(
        all.filter((line) => line.includes("[ERROR]")),
        []
      )
      const claims = all.filter((line) => line.includes("🪙 Paying"))
      assert.strictEqual(
        new Set(claims.map((line) => line.slice(27))).size,
        claims.length,
        "each claimed by one of them"
      )
      for (const { kill } of executors) yield* kill
    })
  }

  test("fund an order once, with the money once, and cancel it once", function* (world) {
    const sql = yield* SqlClient.SqlClient
    const { who: ann, task: first } = yield* unpaidOrder("ann", 5)
    yield* pass(1)
    const second = yield* order(ann, 5)
    world.deposit(ann.agentAddress, usdc(5_000_000n))
    // Both look before either writes.
    world.onChainCall = (call) => (call === "readBalances" ? Effect.sleep("1 second") : Effect.void)
    yield* pass(6)
    const executors = [yield* launch(NOW), yield* launch(NOW)]
    yield* pass(30)
    assert.strictEqual((yield* readTask(first)).status, "completed")
    assert.strictEqual((yield* readTask(second)).status, "pending_payment")
    yield* pass(600)
    assert.strictEqual((yield* readTask(second)).status, "cancelled")
    assert.strictEqual(yield* logged("pending_payment → funded"), 1)
    assert.strictEqual(yield* logged("Task cancelled successfully"), 1)
    assert.deepStrictEqual(yield* sql`SELECT count(*)::int AS n FROM ai_agent_batches`, [{ n: 1 }])
    for (const { kill } of executors) yield* kill
  })

  test("pay once where one freezes with a signed payment in its hand and wakes an hour later", function* (world) {
    const ann = yield* paidOrder("ann", 10)
    const awake = yield* Deferred.make<void>()
    world.manners.delay = (request) => (request === "pay" ? Deferred.await(awake) : Effect.void)
    yield* pass(6)
    const frozen = yield* launch(NOW)
    yield* pass(1)
    world.manners.delay = () => Effect.void
    const other = yield* launch(NOW)
    yield* pass(120)
    yield* isDoneOnce(ann, 10)
    yield* pass(3_480)
    yield* Deferred.succeed(awake, undefined)
    yield* pass(60)
    yield* isDoneOnce(ann, 10)
    assert.strictEqual(new Set(world.payments.map(({ nonce }) => nonce)).size, 1)
    yield* frozen.kill
    yield* other.kill
  })
})
