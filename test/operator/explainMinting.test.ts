import { assert, layer } from "@effect/vitest"
import { Clock, Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import { SCOPES } from "../../src/domain/Scope.ts"
import { NoOffer } from "../../src/mint/Minter.ts"
import { CurrentCaller } from "../../src/operator/Caller.ts"
import { explain, pause } from "../support/operator.ts"
import { launch, pass, start } from "../support/executor.ts"
import * as Postgres from "../support/Postgres.ts"
import { order, paidOrder, person, readTask, TOKEN } from "../support/orders.ts"
import { World } from "../support/World.ts"
import { atWork, givenUndelivered, stories, units, WHY } from "./given.ts"

const short = (id: string): string => id.slice(0, 8)

const nextOf = (id: string) => Effect.map(explain(id), ({ next }) => next)

layer(Postgres.session())("why a paid order is not minted", (it) => {
  const { onSql } = stories(it)
  onSql("another order is paid and not delivered: which one stops payments to the token", function* () {
    const { task: stuck } = yield* givenUndelivered()
    yield* pass(90)
    const { task, who } = yield* paidOrder("bob", 5)
    yield* pass(40)
    const { text, at, commands } = yield* nextOf(task)
    assert.include(text, `payments to token ${TOKEN} are stopped, as batch 1 of order ${short(stuck)}`)
    assert.notInclude(text, "paid next")
    assert.deepStrictEqual([at, commands], [undefined, [`tasks explain ${short(stuck)}`]])
    const caller = { words: "a key", may: new Set(SCOPES), user: who.userAddress }
    const seen = yield* Effect.provideService(explain(task), CurrentCaller, caller)
    assert.include(seen.next.text, `payments to token ${TOKEN} are stopped, as a batch of another order is paid`)
    assert.notInclude(
      JSON.stringify(seen, (_, value) => (typeof value === "bigint" ? String(value) : value)),
      short(stuck)
    )
  })

  onSql("another order of the wallet is in flight for the same token: which one it waits for", function* () {
    const { world, who, task: first } = yield* givenUndelivered()
    const second = yield* order(who, 3)
    world.deposit(who.agentAddress, units(3))
    yield* pass(20)
    assert.strictEqual((yield* readTask(second)).status, "funded")
    const { text } = yield* nextOf(second)
    assert.include(text, `It waits for batch 1 of order ${short(first)}, which is of the same token and wallet`)
    assert.notInclude(text, "planned next")
  })

  onSql("the mint server is away: that it waits for it, and until when", function* () {
    const world = yield* World
    const { task } = yield* paidOrder("ann", 5)
    world.manners.quote = () => new NoOffer({ reason: "Unavailable", message: "no answer" })
    yield* start
    yield* pass(30)
    const { text, at } = yield* nextOf(task)
    assert.strictEqual(text, "Batch 1 is paid next (Waiting: no answer).")
    assert.isAbove(at ?? 0, yield* Clock.currentTimeMillis)
  })

  it.effect("its price is asked: that, until when an answer may come, and that another order waits for it", () =>
    Effect.gen(function* () {
      const world = yield* World
      world.manners.delay = () => Effect.never
      const { who, task } = yield* paidOrder("ann", 5)
      yield* pass(1)
      const other = yield* order(who, 3)
      world.deposit(who.agentAddress, units(3))
      yield* start
      yield* pass(20)
      const { text, at } = yield* nextOf(task)
      assert.strictEqual(text, "Batch 1: the mint server is asked what it costs.")
      assert.isAbove(at ?? 0, yield* Clock.currentTimeMillis)
      assert.include((yield* nextOf(other)).text, `It waits for batch 1 of order ${short(task)}`)
    }).pipe(atWork({ drainTimeout: Duration.zero }))
  )

  onSql("it was refused: why, and when it is tried again", function* () {
    const world = yield* World
    const { task } = yield* paidOrder("ann", 5)
    world.manners.quote = () => new NoOffer({ reason: "Refused", message: "no" })
    yield* start
    yield* pass(14)
    const { text, at } = yield* nextOf(task)
    assert.match(text, /^Batch 1 is paid next \(Retry \d\/3: no\)\.$/)
    assert.isAbove(at ?? 0, yield* Clock.currentTimeMillis)
  })

  onSql("nobody works on it: since when it is due, and no time that is over", function* () {
    const world = yield* World
    const { task } = yield* paidOrder("ann", 5)
    world.manners.quote = () => new NoOffer({ reason: "Unavailable", message: "no answer" })
    const executor = yield* launch()
    yield* pass(30)
    yield* executor.stop
    yield* TestClock.adjust("5 minutes")
    const { text, at } = yield* nextOf(task)
    assert.match(
      text,
      /^Batch 1 is paid next \(Waiting: no answer\)\. It is due since 4m \d+s: the mint server or the chain may be away/
    )
    assert.include(text, "(ai-mint status tells)")
    assert.isUndefined(at)
  })

  onSql("several pauses hold it back: each of them, and what ends it", function* () {
    const { who, task } = yield* paidOrder("ann", 5)
    yield* pause({}, "the server is being moved")
    yield* pause({ token: TOKEN }, "sold out")
    yield* pause({ wallet: who.walletId }, "a complaint")
    yield* pause({ token: `0x${"7f".repeat(20)}` }, "another one's")
    yield* start
    yield* pass(20)
    const { text, commands } = yield* nextOf(task)
    assert.include(text, "it is paused: the server is being moved; its token is paused: sold out")
    assert.include(text, "its wallet is paused: a complaint")
    assert.notInclude(text, "another one's")
    assert.sameMembers(
      [...commands],
      ['resume --why "…"', `resume --token ${TOKEN} --why "…"`, `resume --wallet ${who.walletId} --why "…"`]
    )
  })

  onSql("v1.1 was minting it: when it is taken over, what is needed for it, and how it is done at once", function* () {
    const world = yield* World
    const ann = yield* person("ann")
    world.deposit(ann.agentAddress, units(8))
    const task = yield* order(ann, 10, { status: "processing", mints_completed: 2 })
    yield* start
    yield* pass(20)
    const { next, money, summary } = yield* explain(task)
    assert.include(next.text, "v1.1 was minting it")
    assert.isAbove(next.at ?? 0, (yield* Clock.currentTimeMillis) + 3_500_000)
    assert.deepStrictEqual(next.commands, [`adopt ${short(task)} --mints n --why "${"…"}"`])
    assert.strictEqual(money.needed, units(8))
    assert.match(summary, /is processing: 2 of 10 mints delivered\.$/)
  })

  onSql("a batch is on its way while it is paused: that nothing new is paid", function* () {
    const { task } = yield* givenUndelivered()
    yield* pause({}, WHY)
    const { text, commands } = yield* nextOf(task)
    assert.include(text, "Batch 1 is paid: its mints are looked for")
    assert.include(text, `Nothing new is paid meanwhile: it is paused: ${WHY}`)
    assert.include(commands.join("\n"), "resume --why")
  })
})
