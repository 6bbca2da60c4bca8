import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { ChainError } from "../../src/chain/ChainClient.ts"
import { explain } from "../support/operator.ts"
import { pass, start } from "../support/executor.ts"
import { payInOrder } from "../support/payIns.ts"
import * as Postgres from "../support/Postgres.ts"
import { order, paidOrder, person, readTask } from "../support/orders.ts"
import { World } from "../support/World.ts"
import { lost, stories, STRANGER, units } from "./given.ts"

const short = (id: string): string => id.slice(0, 8)

const nextOf = (id: string) => Effect.map(explain(id), ({ next }) => next)

/** An order of 20 USDC, 8 USDC that came for it, and then an order of so much. */
const givenOlder = Effect.fnUntraced(function* (cost: number) {
  const world = yield* World
  yield* start
  const who = yield* person("ann")
  const older = yield* order(who, 20)
  yield* pass(30)
  world.deposit(who.agentAddress, units(8))
  yield* pass(30)
  yield* TestClock.adjust("1 millis")
  const newer = yield* order(who, cost)
  yield* pass(20)
  return { world, who, older, newer }
})

layer(Postgres.session())("why an order waits for its money", (it) => {
  const { onSql } = stories(it)
  onSql("what is there was paid before it, and is kept for an older one: how much each of them needs", function* () {
    const { world, who, older, newer } = yield* givenOlder(5)
    const { text, commands } = yield* nextOf(newer)
    assert.include(text, `It waits for 5.00 USDC more in ${who.agentAddress}`)
    assert.include(
      text,
      "8.00 USDC more are free in the wallet, but they were paid before this order, while order " +
        `${short(older)} was open: they are kept for that one, which waits for 12.00 USDC more.`
    )
    assert.deepStrictEqual(commands, [`cancel ${short(newer)} --why "…"`, `cancel ${short(older)} --why "…"`])
    assert.include((yield* nextOf(older)).text, "It waits for 12.00 USDC more")
    world.deposit(who.agentAddress, units(5))
    yield* pass(30)
    assert.deepStrictEqual(
      [(yield* readTask(newer)).status, (yield* readTask(older)).status],
      ["completed", "pending_payment"]
    )
  })

  onSql("by the clock that the order got its time from, where the chain's is two minutes ahead", function* () {
    const world = yield* World
    world.behindMs = -120_000
    yield* start
    yield* pass(40)
    const task = yield* order(yield* person("ann"), 5)
    yield* pass(500)
    const { text } = yield* nextOf(task)
    assert.include(text, "It waits for 5.00 USDC more")
    assert.include(text, "for 1m 40s yet, then it is cancelled")
  })

  onSql("a part of it came after it was placed: the rest of it is missing, and no more", function* () {
    const { world, who, newer } = yield* givenOlder(10)
    world.deposit(who.agentAddress, units(2))
    yield* pass(20)
    const { text } = yield* nextOf(newer)
    assert.include(text, "It waits for 8.00 USDC more")
    assert.include(text, "8.00 USDC more are free in the wallet, but they were paid before this order")
    world.deposit(who.agentAddress, units(8))
    yield* pass(30)
    assert.strictEqual((yield* readTask(newer)).status, "completed")
  })

  onSql("an older one of the same cost comes first, and is named", function* () {
    const ann = yield* person("ann")
    const older = yield* order(ann, 5)
    yield* TestClock.adjust("1 millis")
    const newer = yield* order(ann, 5)
    yield* start
    const { text } = yield* nextOf(newer)
    assert.include(text, `Order ${short(older)} of the wallet is older and comes first, which waits for 5.00 USDC`)
    assert.notInclude((yield* nextOf(older)).text, "is older")
  })

  onSql("what is there pays for another order at the next check: it needs its own", function* () {
    const world = yield* World
    const ann = yield* person("ann")
    const first = yield* order(ann, 5)
    yield* TestClock.adjust("1 millis")
    const second = yield* order(ann, 5)
    yield* start
    yield* pass(15)
    world.deposit(ann.agentAddress, units(5))
    yield* pass(4)
    assert.strictEqual((yield* nextOf(first)).text.includes("not looked up yet"), true)
    yield* pass(6)
    assert.include((yield* nextOf(second)).text, "It waits for 5.00 USDC more")
  })

  onSql("its client pays for it: it waits for that, and then it is funded", function* () {
    const ann = yield* person("ann")
    const { task, submit } = yield* payInOrder(ann, 5, { windowSeconds: 120 })
    yield* start
    yield* pass(15)
    const { text, commands } = yield* nextOf(task)
    assert.include(text, "It waits for a payment that its client signed for it, and that comes within 1m")
    assert.deepStrictEqual(commands, [])
    submit()
    yield* pass(4)
    assert.include((yield* nextOf(task)).text, "The money is there")
  })

  onSql("a payment of its wallet is not proven: that is waited for, and nothing more is to be paid", function* () {
    const world = yield* World
    const { who } = yield* paidOrder("ann", 5)
    world.manners.pay = () => lost
    yield* start
    yield* pass(20)
    const small = yield* order(who, 2)
    const { text } = yield* nextOf(small)
    assert.include(text, "It waits until a payment of its wallet is proven on the chain")
    assert.notInclude(text, "USDC more")
    const large = yield* order(who, 9)
    assert.match(
      (yield* nextOf(large)).text,
      /^It waits for \S+ USDC more .* It may be up to \S+: a payment of the wallet/
    )
  })

  onSql(
    "the node is behind the wallet's last payment, or does not answer: nobody can say what is missing",
    function* () {
      const { who } = yield* paidOrder("ann", 5)
      const world = yield* World
      yield* start
      yield* pass(60)
      const task = yield* order(who, 1)
      world.lagBlocks = 100n
      const { text } = yield* nextOf(task)
      assert.include(text, "It waits for a node that is up to date")
      assert.notInclude(text, "USDC more")
      world.chainFault = new ChainError({ reason: "Unavailable", operation: "ask", detail: "down" })
      assert.include((yield* nextOf(task)).text, "the chain does not answer now")
    }
  )

  onSql("money of its wallet is gone and nobody knows yet where: that is found out first", function* () {
    const world = yield* World
    const ann = yield* person("ann")
    const task = yield* order(ann, 9)
    world.deposit(ann.agentAddress, units(5))
    yield* start
    yield* pass(20)
    world.spend(ann.agentAddress, STRANGER, units(1))
    yield* pass(4)
    const { text } = yield* nextOf(task)
    assert.include(text, "by the books it should hold 5.00 USDC, and it holds 4.00")
    yield* pass(20)
    assert.include((yield* nextOf(task)).text, "its wallet is stopped")
  })

  onSql("v1.1 may still pay from its wallet: what is free is not certain", function* () {
    const world = yield* World
    const ann = yield* person("ann")
    yield* order(ann, 10, { status: "processing" })
    world.deposit(ann.agentAddress, units(12))
    const task = yield* order(ann, 5)
    yield* start
    yield* pass(20)
    const { text, commands } = yield* nextOf(task)
    assert.include(text, "v1.1 may still pay from its wallet, so what is free there is not certain")
    assert.include(text, "By the balance 3.00 USDC are missing")
    assert.include(commands.join(), `wallets show ${ann.agentAddress}`)
  })

  onSql("overdue while the chain makes no blocks: that it is cancelled when it does", function* () {
    const world = yield* World
    const ann = yield* person("ann")
    const task = yield* order(ann, 5)
    yield* start
    yield* pass(590)
    world.halt(true)
    yield* pass(120)
    const { text, at } = yield* nextOf(task)
    assert.match(text, /^It is cancelled when a confirmed block is past its deadline \(the newest is 2m .* old\)/)
    assert.isUndefined(at)
  })

  onSql("a row without a time is told as what it is, and no time of it is made up", function* () {
    const ann = yield* person("ann")
    yield* (yield* SqlClient.SqlClient)`ALTER TABLE ai_agent_tasks ALTER created_at DROP NOT NULL`
    const task = yield* order(ann, 5, { created_at: null })
    const { next, steps, money } = yield* explain(task)
    assert.include(next.text, "It cannot be carried out (created_at is not a time)")
    assert.deepStrictEqual(next.commands, [`cancel ${short(task)} --why "…"`])
    assert.deepStrictEqual([next.at, money.needed], [undefined, units(5)])
    assert.notInclude(JSON.stringify([next, steps.map(({ at }) => String(at))]), "NaN")
    yield* start
    const held = yield* nextOf(task)
    assert.include(held.text, "To go on with it, repair its row")
    assert.deepStrictEqual(held.commands, [`cancel ${short(task)} --why "…"`])
  })
})
