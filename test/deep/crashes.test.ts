import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Exit } from "effect"
import { vi } from "vitest"
import type { Address } from "../../src/domain/Address.ts"
import * as Faults from "../../src/sandbox/faults.ts"
import { migrate } from "../../src/ledger/migrate.ts"
import { type BaseSepolia, deployment, openBaseSepoliaWith, payAll, placeOrder } from "../e2e/baseSepolia.ts"
import { outcomeOf } from "../e2e/v11Orders.ts"
import { clientAt } from "../support/LedgerSql.ts"
import { person } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { audit } from "./audit.ts"
import { outOfReach, pointsOf, pointsToReach, type Round, rounds } from "./crashRounds.ts"
import { compiled, runKilled } from "./killedExecutor.ts"
import { meddle } from "./meddling.ts"

vi.mock(import("../../src/config/Network.ts"), async (original) => {
  const networks = await original()
  return { ...networks, local: { ...networks.baseSepolia, blockSeconds: 1 } }
})

const PACE = {
  CHECK_INTERVAL: "500ms",
  MINT_INTERVAL: "200ms",
  // An honest answer takes two blocks.
  MINT_TIMEOUT: "4s",
  MAX_BATCH_SIZE: "1"
}

/** Rounds at the same time. A start costs a second of a core; the rest is waiting for blocks. */
const AT_ONCE = 6

const faults = Faults.make()

interface World extends BaseSepolia {
  readonly startedFrom: Readonly<Record<string, string>>
}

/** Places the orders of a round, each by a person of its own, and pays for them. */
const placeAll = Effect.fnUntraced(function* (world: BaseSepolia, round: Round, token: Address) {
  const { name, orders: count = 1, mints = 2, isUnpaid = false } = round
  const orders = yield* Effect.forEach(Array.from({ length: count }), (_, index) =>
    Effect.gen(function* () {
      const of = `${name}, ${index}`
      const who = yield* person(of)
      return { name: of, who, token, id: yield* placeOrder(who, mints, token) }
    })
  )
  if (!isUnpaid)
    yield* payAll(
      world,
      orders.map(({ who }) => ({ who, mints }))
    )
  return orders
})

/** The faults of the round's token, beside those of the others. */
const switchOn = (round: Round, token: Address): void => {
  const others = faults.on().filter((fault) => fault.token !== token)
  faults.set([...others, ...(round.faults ?? []).map((fault) => ({ ...fault, token }))])
}

const hasEnded = Effect.fnUntraced(function* (id: string) {
  const { status, held } = yield* outcomeOf(id)
  return held || ["completed", "cancelled", "failed"].includes(status)
})

/** Plays a round on a database of its own, and audits what is left. */
const play = Effect.fnUntraced(function* (world: World, round: Round, token: Address) {
  const startMs = yield* Clock.currentTimeMillis
  const url = yield* Postgres.freshDatabase()
  const result = yield* Effect.gen(function* () {
    yield* migrate
    const orders = yield* placeAll(world, round, token)
    yield* Effect.forEach(orders, (order) => Effect.forkScoped(meddle(world, round, order)))
    const env = {
      ...world.startedFrom,
      ...deployment(world, url),
      ...PACE,
      AUTHORIZATION_WINDOW: round.window,
      ...round.env
    }
    const arm = (start: number) =>
      Effect.sync(() => {
        if (start === 0 || round.areFaultsOnce !== true) switchOn(round, token)
        return {}
      })
    const isOver = Effect.map(
      Effect.forEach(orders, ({ id }) => hasEnded(id)),
      (all) => all.every((it) => it)
    )
    const killed = yield* runKilled({ env, arm, isOver, points: pointsOf(round) })
    for (const { id, name } of orders) {
      const { status, held } = yield* outcomeOf(id)
      assert.strictEqual(held ? "held" : status, round.ends, name)
    }
    const found = yield* Effect.forEach(orders, (order) => audit(world.chain, order))
    return { ...killed, payments: found.reduce((sum, { payments }) => sum + payments, 0) }
  }).pipe(Effect.scoped, Effect.provide(clientAt(url, 2)))
  return { ...result, name: round.name, seconds: Math.round(((yield* Clock.currentTimeMillis) - startMs) / 1000) }
})
type Played = Effect.Success<ReturnType<typeof play>>

const describeAll = (played: ReadonlyArray<Played>, seconds: number): string => {
  const killed = played.flatMap((one) => one.killed)
  const lines = played.map(
    (one) => `   ${one.name}: killed ${one.killed.length} times, ${one.payments} payment(s), ${one.seconds} s`
  )
  const total = `${new Set(killed).size} points, ${killed.length} kills, ${played.length} rounds, ${seconds} s`
  return [`Crashes: ${total}`, ...lines].join("\n")
}

/** What is done with ledger and mint server and around which nobody was killed: it should be reads only. */
const withoutKill = (played: ReadonlyArray<Played>): ReadonlyArray<string> => {
  const killed = new Set(played.flatMap((one) => one.killed))
  const passed = new Set(played.flatMap((one) => [...one.passed]))
  const names = [...passed].filter((point) => !killed.has(point)).map((point) => point.replace(/^(before|after) /, ""))
  return [...new Set(names)].toSorted()
}

describe("an executor that is killed", () => {
  it.live("at any point of a batch's life carries on: every order ends, and the table is what the chain says", () =>
    Effect.gen(function* () {
      const startMs = yield* Clock.currentTimeMillis
      const network = yield* openBaseSepoliaWith({ tokens: rounds.length, faults })
      const world: World = { ...network, startedFrom: yield* compiled }
      const exits = yield* Effect.forEach(
        rounds,
        (round, index) => Effect.exit(play(world, round, world.tokens[index] ?? assert.fail())),
        { concurrency: AT_ONCE }
      )
      const played = exits.flatMap((exit) => (Exit.isSuccess(exit) ? [exit.value] : []))
      const seconds = Math.round(((yield* Clock.currentTimeMillis) - startMs) / 1000)
      console.log(describeAll(played, seconds))
      console.log(`   passed, and nobody was killed there: ${withoutKill(played).join(", ")}`)
      const failed = exits.flatMap((exit, index) =>
        Exit.isFailure(exit) ? [`${rounds[index]?.name}: ${Cause.pretty(exit.cause)}`] : []
      )
      if (failed.length > 0) return assert.fail(failed.join("\n\n"))
      const reached = new Set(played.flatMap(({ killed }) => killed))
      const missing = pointsToReach.filter((point) => !reached.has(point) && !outOfReach.includes(point))
      assert.deepStrictEqual(missing, [], "points that no process came to")
      assert.deepStrictEqual(
        outOfReach.filter((point) => played.some(({ passed }) => passed.has(point))),
        [],
        "points that are in reach after all"
      )
    })
  )
})
