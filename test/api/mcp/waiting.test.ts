import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Queue } from "effect"
import { TestClock } from "effect/testing"
import { makeWait } from "../../../src/api/mcp/waiting.ts"
import { zero } from "../../../src/domain/Usdc.ts"
import { Unanswered } from "../../../src/operator/Operator.ts"
import type { TaskReport } from "../../../src/operator/reports/tasks.ts"
import { completed, unpaid } from "./given.ts"

const unavailable = new Unanswered({ reason: "Unavailable", message: "the database does not answer" })

/** An order that is looked at: the test says what each look finds, and so knows of each. */
const looks = Effect.gen(function* () {
  const found = yield* Queue.unbounded<TaskReport | Unanswered>()
  const showTask = () =>
    Effect.flatMap(Queue.take(found), (one) => (one instanceof Unanswered ? Effect.fail(one) : Effect.succeed(one)))
  return { wait: yield* makeWait({ showTask }), find: (one: TaskReport | Unanswered) => Queue.offer(found, one) }
})

/** One look later. */
const aSecond = TestClock.adjust("1 second")

describe("waiting for an order", () => {
  it.effect("ends at once where it has ended", () =>
    Effect.gen(function* () {
      const { wait, find } = yield* looks
      for (const order of [completed, { ...completed, status: "failed", nextAction: "new_order" } as const]) {
        yield* find(order)
        assert.deepStrictEqual(yield* wait(order.id, 25_000), { order, changed: false })
      }
    })
  )

  it.effect("ends with the look that finds a change", () =>
    Effect.gen(function* () {
      const { wait, find } = yield* looks
      const waiting = yield* Effect.forkChild(wait(unpaid.id, 25_000), { startImmediately: true })
      yield* find(unpaid)
      yield* find({ ...unpaid, nextActionAt: 5 })
      yield* aSecond
      const paid = { ...unpaid, nextAction: "wait", amountDue: zero } as const
      yield* find(paid)
      yield* aSecond
      assert.deepStrictEqual(yield* Fiber.join(waiting), { order: paid, changed: true })
    })
  )

  it.effect("ends when its time is over, with the order as it is", () =>
    Effect.gen(function* () {
      const { wait, find } = yield* looks
      const waiting = yield* Effect.forkChild(wait(unpaid.id, 2_500), { startImmediately: true })
      for (let look = 0; look < 4; look++) yield* find(unpaid)
      yield* TestClock.adjust("2400 millis")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(yield* Fiber.join(waiting), { order: unpaid, changed: false })
    })
  )

  it.effect("goes on where a look is not answered, and fails where the first is not", () =>
    Effect.gen(function* () {
      const { wait, find } = yield* looks
      const waiting = yield* Effect.forkChild(wait(unpaid.id, 25_000), { startImmediately: true })
      yield* find(unpaid)
      yield* find(unavailable)
      yield* aSecond
      yield* find(completed)
      yield* aSecond
      assert.deepStrictEqual(yield* Fiber.join(waiting), { order: completed, changed: true })
      yield* find(unavailable)
      assert.deepStrictEqual(yield* Effect.flip(wait(unpaid.id, 25_000)), unavailable)
    })
  )

  it.effect("has 100 places: who finds none is answered at once, and one that is left is free again", () =>
    Effect.gen(function* () {
      const looked = { times: 0 }
      const wait = yield* makeWait({
        showTask: () => Effect.sync(() => (looked.times++, unpaid))
      })
      const waiting = yield* Effect.forEach(Array.from({ length: 1_000 }), () =>
        Effect.forkChild(wait(unpaid.id, 25_000), { startImmediately: true })
      )
      const answered = waiting.filter((fiber) => fiber.pollUnsafe() !== undefined)
      assert.lengthOf(answered, 900)
      yield* aSecond
      assert.strictEqual(looked.times, 1_000 + 100)
      yield* Fiber.interruptAll(waiting)
      const next = yield* Effect.forkChild(wait(unpaid.id, 1_000), { startImmediately: true })
      assert.isUndefined(next.pollUnsafe())
      yield* aSecond
      assert.deepStrictEqual(yield* Fiber.join(next), { order: unpaid, changed: false })
    })
  )
})
