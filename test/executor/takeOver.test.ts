import { assert, layer } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { SqlClient } from "effect/sql"
import * as Postgres from "../support/Postgres.ts"
import { inMemory, onWorld, pass, start, startFor } from "../support/executor.ts"
import { heldReason, order, person, readBatches, readTask, TOKEN } from "../support/orders.ts"
import { stories } from "../support/stories.ts"
import { World } from "../support/World.ts"
import { adopt, cancel } from "../support/operator.ts"
import { refusal } from "../operator/given.ts"
import { units } from "./given.ts"

/**
 * An order of twenty that v1.1 was minting when it died, with `counted` mints counted, `paid` dollars of it paid and
 * `left` dollars in the wallet.
 */
const leftBehind = Effect.fnUntraced(function* (
  state: { readonly counted: number; readonly paid: number; readonly left: number },
  columns: (nowMs: number) => Record<string, unknown>
) {
  const world = yield* World
  const ann = yield* person("ann")
  world.deposit(ann.agentAddress, units(state.paid + state.left))
  yield* pass(20)
  const startedMs = yield* Clock.currentTimeMillis
  if (state.paid > 0) {
    world.spend(ann.agentAddress, TOKEN, units(state.paid))
    world.mint({ token: TOKEN, recipient: ann.userAddress, quantity: state.paid }, state.paid)
  }
  yield* pass(20)
  const nowMs = yield* Clock.currentTimeMillis
  const task = yield* order(ann, 20, {
    status: "processing",
    mints_completed: state.counted,
    started_at: new Date(startedMs),
    ...columns(nowMs)
  })
  return { who: ann, task }
})

const minutesAgo = (minutes: number) => (nowMs: number) => ({ updated_at: new Date(nowMs - minutes * 60_000) })

layer(Postgres.session())("an order that v1.1 left in processing", (it) => {
  const test = stories(it, inMemory())
  const onDatabase = stories(it, onWorld())

  test("is not touched before an hour of quiet, and then finished from where it was", function* (world) {
    const { who, task } = yield* leftBehind({ counted: 10, paid: 10, left: 10 }, minutesAgo(50))
    yield* startFor(595)
    assert.deepInclude(yield* readTask(task), { status: "processing", mints_completed: 10 })
    assert.strictEqual(world.payments.length, 0)
    yield* pass(60)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 20 })
    assert.strictEqual(world.mintsTo(who.userAddress), 20)
    assert.strictEqual(world.balance(who.agentAddress), 0n)
  })

  test("is not taken over while the chain stands still: v1.1's payment may still be mined", function* (world) {
    const { task } = yield* leftBehind({ counted: 10, paid: 10, left: 10 }, minutesAgo(50))
    yield* start
    world.halt(true)
    yield* pass(900)
    assert.lengthOf(yield* readBatches(task), 0)
    world.halt(false)
    yield* pass(60)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 20 })
  })

  test("cancels no order whose money may be in what it has reserved, before it is taken over", function* (world) {
    // Ten of twenty paid and not counted: of the fifteen in the wallet five pay for the next order.
    const { who, task } = yield* leftBehind({ counted: 0, paid: 10, left: 10 }, minutesAgo(1))
    const next = yield* order(who, 5)
    yield* startFor(20)
    world.deposit(who.agentAddress, units(5))
    yield* pass(700)
    assert.strictEqual((yield* readTask(next)).status, "pending_payment")
    assert.include(yield* refusal(cancel(next, "the person asked")), "may be paid, and is not cancelled")
    yield* adopt(task, { mints: 10 }, "the chain shows ten")
    yield* pass(60)
    assert.strictEqual((yield* readTask(next)).status, "completed")
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 20 })
    assert.strictEqual(world.balance(who.agentAddress), 0n)
  })

  test("cancels an order that its whole wallet could not pay for", function* () {
    const { who } = yield* leftBehind({ counted: 0, paid: 10, left: 10 }, minutesAgo(1))
    const next = yield* order(who, 11)
    yield* startFor(620)
    assert.strictEqual((yield* readTask(next)).status, "cancelled")
  })

  test("is taken over at once where the hour has passed already", function* (world) {
    const { who, task } = yield* leftBehind({ counted: 0, paid: 0, left: 20 }, minutesAgo(60))
    yield* startFor(40)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.strictEqual(world.paidBy(who.agentAddress).length, 2)
  })

  test("waits its hour too where v1.1 died before it wrote when it started", function* (world) {
    const { task } = yield* leftBehind({ counted: 0, paid: 0, left: 20 }, (nowMs) => ({
      ...minutesAgo(50)(nowMs),
      started_at: null
    }))
    yield* startFor(595)
    assert.strictEqual((yield* readTask(task)).status, "processing")
    assert.strictEqual(world.payments.length, 0, "a payment of v1.1 may be in flight")
    yield* pass(60)
    assert.strictEqual((yield* readTask(task)).status, "completed")
  })

  onDatabase("waits its hour too where it was funded by us and snatched by a v1.1 that still ran", function* (world) {
    const { task } = yield* leftBehind({ counted: 0, paid: 10, left: 10 }, minutesAgo(50))
    const sql = yield* SqlClient.SqlClient
    yield* sql`INSERT INTO ai_agent_task_state (task_id, reserved_at_block) VALUES (${task}::uuid, 1)`
    yield* startFor(595)
    assert.strictEqual(world.payments.length, 0)
    yield* pass(60)
    const says = "Held for the operator: v1.1 paid 10.00 USDC for this order and counted mints for 0.00"
    assert.strictEqual((yield* readTask(task)).error_message, says)
    assert.strictEqual(world.payments.length, 0)
  })

  test("is held where v1.1 paid more than it counted: nobody knows what became of that", function* (world) {
    const { task } = yield* leftBehind({ counted: 10, paid: 20, left: 0 }, minutesAgo(120))
    yield* startFor(60)
    const says = "Held for the operator: v1.1 paid 20.00 USDC for this order and counted mints for 10.00"
    assert.deepInclude(yield* readTask(task), { status: "processing", error_message: says })
    assert.strictEqual(yield* heldReason(task), says)
    assert.strictEqual(world.payments.length, 0)
  })

  test("is held where its money is gone", function* (world) {
    const { task } = yield* leftBehind({ counted: 10, paid: 10, left: 4 }, minutesAgo(120))
    yield* startFor(60)
    const says = "Held for the operator: the agent wallet holds 4.00 USDC and this order needs 10.00"
    assert.strictEqual((yield* readTask(task)).error_message, says)
    assert.strictEqual(world.payments.length, 0)
  })

  test("keeps its money from the wallet's other orders while it waits", function* (world) {
    const { who, task } = yield* leftBehind({ counted: 10, paid: 10, left: 10 }, minutesAgo(45))
    const next = yield* order(who, 10)
    yield* startFor(610)
    assert.strictEqual((yield* readTask(next)).status, "pending_payment", "v1.1 may have spent what it reserves")
    yield* pass(350)
    assert.strictEqual((yield* readTask(next)).status, "cancelled")
    assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.strictEqual(world.mintsTo(who.userAddress), 20)
  })

  test("and set back to funded by an operator is compared with its payments, and finished", function* (world) {
    const sound = yield* leftBehind({ counted: 10, paid: 10, left: 10 }, () => ({ status: "funded" }))
    yield* startFor(30)
    assert.strictEqual((yield* readTask(sound.task)).status, "completed")
    assert.strictEqual(world.mintsTo(sound.who.userAddress), 20)
  })
})
