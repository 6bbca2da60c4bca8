import { assert, layer } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import type { TaskId } from "../../src/domain/Task.ts"
import { WatchRepo } from "../../src/ledger/WatchRepo.ts"
import { NoOffer } from "../../src/mint/Minter.ts"
import { launch, pass, settled, start } from "../support/executor.ts"
import { explain, limits, removeLimit, setLimit } from "../support/operator.ts"
import { order, paidOrder, readTask, TOKEN } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { World } from "../support/World.ts"
import { assertDecided, lost, refusal, stories, units, WHY } from "./given.ts"

const DAY_MS = 86_400_000

const statuses = (...ids: ReadonlyArray<TaskId>) =>
  Effect.forEach(ids, (id) => Effect.map(readTask(id), ({ status }) => status))

/** Lets hours pass in steps of ten minutes. */
const passHours = Effect.fnUntraced(function* (hours: number) {
  for (let step = 0; step < hours * 6; step++) yield* Effect.andThen(TestClock.adjust("10 minutes"), settled)
})

const usedNow = Effect.map(limits, ({ limits: all }) => all.map(({ used, left }) => [used, left]))

layer(Postgres.session())("a limit", (it) => {
  const { inMemory, onSql } = stories(it)

  inMemory("lets orders wait that exceed it, until what was signed is a day old", function* () {
    const world = yield* World
    yield* setLimit(units(8), {}, WHY)
    yield* assertDecided("limits set", null)
    const ann = yield* paidOrder("ann", 5)
    yield* start
    yield* pass(60)
    const bob = yield* paidOrder("bob", 5)
    yield* pass(60)
    assert.deepStrictEqual(yield* statuses(ann.task, bob.task), ["completed", "processing"])
    const row = yield* readTask(bob.task)
    assert.match(
      row.error_message ?? "",
      /^Waiting: the limit of 8\.00 USDC a day for all payments is used: the next batch may cost 5\.00 USDC, there is room at \S+$/
    )
    assert.deepStrictEqual(yield* usedNow, [[units(5), units(3)]])
    yield* passHours(23.5)
    assert.strictEqual(world.payments.length, 1)
    yield* passHours(1)
    assert.deepStrictEqual(yield* statuses(bob.task), ["completed"])
    assert.deepInclude(yield* readTask(bob.task), { retry_count: 0, error_message: null })
    assert.strictEqual(world.payments.length, 2)
  })

  inMemory("lets smaller orders pass, and none waits for one that never fits", function* () {
    yield* setLimit(units(8), {}, WHY)
    const big = yield* paidOrder("big", 9)
    yield* start
    yield* pass(30)
    const ann = yield* paidOrder("ann", 5)
    yield* pass(30)
    const [bob, carl] = [yield* paidOrder("bob", 5), yield* paidOrder("carl", 3)]
    yield* pass(60)
    const all = [big.task, ann.task, bob.task, carl.task]
    assert.deepStrictEqual(yield* statuses(...all), ["processing", "completed", "processing", "completed"])
    assert.include(
      (yield* readTask(big.task)).error_message,
      "of 8.00 USDC a day for all payments is less than one batch"
    )
    assert.deepStrictEqual(yield* usedNow, [[units(8), units(0)]])
    yield* setLimit(units(13), {}, WHY)
    yield* pass(30)
    assert.deepStrictEqual(yield* statuses(big.task, bob.task), ["processing", "completed"], "a higher limit wakes it")
    assert.isFalse((yield* setLimit(units(13), {}, WHY)).did)
    assert.isTrue((yield* removeLimit({}, WHY)).did)
    yield* pass(30)
    assert.deepStrictEqual(yield* statuses(big.task), ["completed"], "and so does the end of it")
    assert.isFalse((yield* removeLimit({}, WHY)).did)
  })

  inMemory("of a payment that is void is given back, and counts once when that is signed anew", function* () {
    const world = yield* World
    yield* setLimit(units(5), {}, WHY)
    world.manners.pay = () => lost
    const ann = yield* paidOrder("ann", 5)
    yield* start
    yield* pass(20)
    const bob = yield* paidOrder("bob", 5)
    yield* pass(240)
    assert.deepStrictEqual(yield* statuses(ann.task, bob.task), ["processing", "processing"])
    assert.isAbove(new Set(world.payments.map(({ validBefore }) => validBefore)).size, 1, "it was signed anew")
    assert.strictEqual(new Set(world.payments.map(({ nonce }) => nonce)).size, 1, "and only that one")
    assert.deepStrictEqual(yield* usedNow, [[units(5), units(0)]])
    delete world.manners.pay
    world.manners.quote = () => new NoOffer({ reason: "Unavailable", message: "no answer" })
    yield* pass(500)
    assert.deepStrictEqual(yield* usedNow, [[units(0), units(5)]])
    delete world.manners.quote
    yield* pass(600)
    assert.include(yield* statuses(ann.task, bob.task), "completed")
  })

  inMemory("of a token or a person leaves others alone", function* () {
    const ann = yield* paidOrder("ann", 5)
    const other = yield* paidOrder("carl", 5, { token_address: `0x${"7f".repeat(20)}` })
    yield* setLimit(units(4), { token: TOKEN.toUpperCase().replace("0X", "0x") }, WHY)
    yield* start
    yield* pass(60)
    assert.deepStrictEqual(yield* statuses(ann.task, other.task), ["processing", "completed"])
    yield* setLimit(units(4), { user: ann.who.userAddress }, WHY)
    yield* removeLimit({ token: TOKEN }, WHY)
    yield* pass(60)
    assert.include((yield* readTask(ann.task)).error_message, `a day for user ${ann.who.userAddress} is less`)
    yield* removeLimit({ user: ann.who.userAddress }, WHY)
    yield* pass(60)
    assert.deepStrictEqual(yield* statuses(ann.task), ["completed"])
  })

  onSql("holds over a restart, is on the attention list, and ends by command", function* () {
    const world = yield* World
    yield* setLimit(units(3), {}, WHY)
    const { task } = yield* paidOrder("ann", 5)
    const first = yield* launch()
    yield* pass(60)
    yield* first.stop
    yield* launch()
    yield* pass(60)
    assert.deepStrictEqual([...(yield* statuses(task)), world.payments.length], ["processing", 0])
    const watch = yield* WatchRepo
    const [item] = yield* watch.attention(10)
    assert.deepInclude(item, { kind: "limit", taskId: task, alike: 1 })
    assert.match(item?.reason ?? "", /^Waiting: the limit of 3\.00 USDC a day/)
    const { next } = yield* explain(task)
    assert.include(next.text, "Batch 1 is not paid yet: the limit of 3.00 USDC a day")
    assert.deepStrictEqual([next.at, next.commands], [undefined, ["limits", 'limits set --per-day n --why "…"']])
    yield* removeLimit({}, WHY)
    assert.deepStrictEqual(yield* watch.attention(10), [])
    yield* pass(60)
    assert.deepStrictEqual(yield* statuses(task), ["completed"])
  })

  onSql("says in explain when there is room, and how it is changed", function* () {
    const user = (yield* paidOrder("ann", 3)).who.userAddress
    yield* setLimit(units(5), { user }, WHY)
    yield* start
    yield* pass(30)
    const nowMs = yield* Clock.currentTimeMillis
    const second = yield* paidOrder("bob", 3)
    const third = yield* order(second.who, 4)
    yield* setLimit(units(5), { user: second.who.userAddress }, WHY)
    yield* pass(30)
    ;(yield* World).deposit(second.who.agentAddress, units(4))
    yield* pass(60)
    const { next } = yield* explain(third)
    assert.include(next.text, `the limit of 5.00 USDC a day for user ${second.who.userAddress} is used: 3.00 USDC`)
    assert.isAbove(next.at ?? 0, nowMs + DAY_MS)
    assert.isBelow(next.at ?? 0, nowMs + DAY_MS + 60_000)
    assert.strictEqual(next.commands[1], `limits set --per-day n --user ${second.who.userAddress} --why "…"`)
  })

  inMemory("of nothing, or of two things at once, is refused", function* () {
    assert.include(yield* refusal(setLimit(units(0), {}, WHY)), "ai-mint pause")
    assert.include(yield* refusal(setLimit(units(1), { token: "0x1" }, WHY)), "is no address")
    assert.include(yield* refusal(removeLimit({ token: TOKEN, user: TOKEN }, WHY)), "only one of them")
  })
})
