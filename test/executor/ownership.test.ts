import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { ALL_PARTS, type Part, partOf, rangesOf } from "../../src/domain/Part.ts"
import { Ownership } from "../../src/runners/Ownership.ts"
import { inMemory, pass, startFor } from "../support/executor.ts"
import { paidOrder, readTask } from "../support/orders.ts"
import { stories } from "../support/stories.ts"

/** What this process owns is as the test says. */
const owned = { parts: ALL_PARTS, left: 0 }

const given = Layer.sync(Ownership, () => {
  owned.parts = ALL_PARTS
  owned.left = 0
  return {
    owns: (walletId) => owned.parts.includes(partOf(walletId)),
    parts: Effect.sync(() => owned.parts),
    ranges: Effect.sync(() => rangesOf(owned.parts)),
    gained: Effect.never,
    leave: Effect.sync(() => void owned.left++)
  }
})

const allBut = (part: Part) => ALL_PARTS.filter((other) => other !== part)

describe("an executor that owns some of the wallets", () => {
  const test = stories(it, inMemory({}, given))

  test("neither funds nor pays for the wallets of others", function* (world) {
    const [ann, ben] = [yield* paidOrder("ann", 5), yield* paidOrder("ben", 5)]
    owned.parts = allBut(partOf(ann.who.walletId))
    yield* pass(6)
    yield* startFor(40)
    assert.strictEqual((yield* readTask(ben.task)).status, "completed")
    assert.strictEqual((yield* readTask(ann.task)).status, "pending_payment")
    assert.lengthOf(world.payments, 1)
  })

  test("begins no further turn for a wallet that another one owns by now, and goes on when it owns it again", function* (world) {
    const { who, task } = yield* paidOrder("ann", 30)
    yield* pass(6)
    yield* startFor(12)
    const paid = world.payments.length
    assert.isAbove(paid, 0)
    owned.parts = allBut(partOf(who.walletId))
    yield* pass(60)
    assert.lengthOf(world.payments, paid)
    assert.strictEqual((yield* readTask(task)).status, "processing")
    owned.parts = ALL_PARTS
    yield* pass(90)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.lengthOf(world.payments, 3)
  })
})

describe("an executor that is stopped", () => {
  it.effect("gives its wallets up before it waits for what is under way", () =>
    Effect.gen(function* () {
      yield* inMemory(
        {},
        given
      )(
        Effect.scoped(
          Effect.gen(function* () {
            yield* paidOrder("ann", 5)
            yield* startFor(20)
          })
        )
      )
      assert.strictEqual(owned.left, 1)
    })
  )
})
