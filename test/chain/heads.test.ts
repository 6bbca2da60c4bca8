import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Queue, Ref } from "effect"
import { TestClock } from "effect/testing"
import { makeHeads, noSubscriptions, type Subscriptions } from "../../src/chain/heads.ts"
import type { Rpc } from "../../src/chain/rpc.ts"
import { base } from "../../src/config/Network.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

/** Follows a chain that makes a block every two seconds, the first now. Gives when it was asked, in milliseconds. */
const following = Effect.fnUntraced(function* (subscriptions: Subscriptions, lagMs = 0, firstHead?: bigint) {
  const asked: Array<number> = []
  const head = Effect.map(Clock.currentTimeMillis, (nowMs) => {
    asked.push(nowMs)
    const number = BigInt(Math.floor((nowMs - lagMs) / 2_000)) + 100n
    return asked.length === 1 ? (firstHead ?? number) : number
  })
  const rpc = { head: () => head, forgetHead: Effect.void } as unknown as Rpc
  const { nextHead, newHead } = yield* makeHeads(rpc, base, subscriptions)
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(newHead, nextHead)))
  yield* TestClock.adjust(0)
  return asked
})

/** What announces blocks, and whether it does. */
const announcing = Effect.gen(function* () {
  const heads = yield* Queue.unbounded<bigint>()
  const areLive = yield* Ref.make(true)
  const above = (head: bigint) => Effect.asVoid(Effect.repeat(Queue.take(heads), { until: (number) => number > head }))
  const subscriptions: Subscriptions = { above, areLive: Ref.get(areLive), health: Effect.succeed([]) }
  return { subscriptions, areLive, say: (head: bigint) => Queue.offer(heads, head) }
})

describe("following the blocks", () => {
  test("asks about once for each block, in step with them", function* () {
    const asked = yield* following(noSubscriptions)
    yield* TestClock.adjust("20 seconds")
    assert.isAtMost(asked.length, 26, "two for each block, and some before the pace is known")
    for (let block = 1; block <= 10; block++) {
      const seen = asked.find((atMs) => atMs >= block * 2_000)!
      assert.isAtMost(seen - block * 2_000, 200)
    }
  })

  test("gets into step again after a block of which no other node has heard, or that was another chain's", function* () {
    const asked = yield* following(noSubscriptions, 0, 0xffff_ffffn)
    yield* TestClock.adjust("40 seconds")
    for (let block = 12; block <= 20; block++) {
      const seen = asked.find((atMs) => atMs >= block * 2_000)!
      assert.isAtMost(seen - block * 2_000, 200)
    }
    const { subscriptions, say } = yield* announcing
    const woken = yield* following(subscriptions, 0, 0xffff_ffffn)
    yield* TestClock.adjust("4 seconds")
    yield* say(122n)
    yield* TestClock.adjust("2 seconds")
    woken.length = 0
    yield* say(123n)
    yield* TestClock.adjust(0)
    assert.deepStrictEqual(woken, [46_000])
  })

  test.each([100, 700, 1_300, 1_900])("is in step after two blocks, though it begins %i ms late", function* (lateMs) {
    yield* TestClock.adjust(lateMs)
    const asked = yield* following(noSubscriptions)
    yield* TestClock.adjust("20 seconds")
    for (let block = 3; block <= 10; block++) {
      const seen = asked.find((atMs) => atMs >= block * 2_000)!
      assert.isAtMost(seen - block * 2_000, 200)
    }
    assert.isAtMost(asked.length, 30)
  })

  test("asks ever more rarely, up to once in a block's time, while the chain stands still", function* () {
    const asked = yield* following(noSubscriptions, 0, 150n)
    yield* TestClock.adjust("90 seconds")
    assert.isAtMost(asked.length, 60)
    const [last = 0, before = 0] = asked.toReversed()
    assert.strictEqual(last - before, 2_000)
  })

  test("asks when a block is announced, and once for each", function* () {
    const { subscriptions, say } = yield* announcing
    const asked = yield* following(subscriptions)
    for (let block = 1; block <= 10; block++) {
      yield* TestClock.adjust("2 seconds")
      yield* say(100n + BigInt(block))
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(
        asked.slice(1),
        Array.from({ length: block }, (_, index) => (index + 1) * 2_000)
      )
    }
  })

  test("asks half a block later where an announcement is lost, and as without any while none comes", function* () {
    const { subscriptions, areLive } = yield* announcing
    const asked = yield* following(subscriptions)
    yield* TestClock.adjust("3 seconds")
    assert.deepStrictEqual(asked, [0, 3_000])
    yield* Ref.set(areLive, false)
    yield* TestClock.adjust("17 seconds")
    for (let block = 3; block <= 10; block++)
      assert.isTrue(asked.some((atMs) => atMs - block * 2_000 <= 200 && atMs >= block * 2_000))
  })

  test("waits for a node that hears of a block later than it is announced", function* () {
    const { subscriptions, say } = yield* announcing
    yield* TestClock.adjust("1 second")
    const asked = yield* following(subscriptions, 300)
    yield* TestClock.adjust("1 second")
    yield* say(101n)
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(asked.slice(1), [2_000, 2_200, 2_400])
  })

  test("asks some ten times in a block at the most, whatever is announced", function* () {
    const { subscriptions, say } = yield* announcing
    const asked = yield* following(subscriptions)
    for (let step = 0; step < 1_000; step++) {
      yield* say(1_000_000n)
      yield* TestClock.adjust("2 millis")
    }
    assert.isAtMost(asked.length, 14)
  })
})
