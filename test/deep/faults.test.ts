import { assert, describe, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { vi } from "vitest"
import type { Address } from "../../src/domain/Address.ts"
import * as Faults from "../../src/sandbox/faults.ts"
import { clientAt } from "../support/LedgerSql.ts"
import { person } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import {
  type BaseSepolia,
  deployment,
  openBaseSepoliaWith,
  payAll,
  placeOrder,
  PRICE,
  USDC
} from "../e2e/baseSepolia.ts"
import { type Story, whereItIsSentAgain, whereItLapses } from "./faultStories.ts"
import {
  eventually,
  mintsTo,
  paymentsFrom,
  type Running,
  startExecutor,
  temporaryDirectory,
  TIMEOUT_MS
} from "../e2e/support.ts"
import { outcomeOf } from "../e2e/v11Orders.ts"

vi.mock(import("../../src/config/Network.ts"), async (original) => {
  const networks = await original()
  return { ...networks, local: { ...networks.baseSepolia, blockSeconds: 1 } }
})

vi.setConfig({ testTimeout: TIMEOUT_MS })

const faults = Faults.make()

class World extends Context.Service<World, BaseSepolia>()("test/e2e/World") {
  static readonly layer = Layer.effect(
    this,
    openBaseSepoliaWith({ faults, tokens: whereItLapses.length + whereItIsSentAgain.length })
  )
}

const MINTS = 3
const MINTS_A_BATCH = 2

/** What both batches cost: two mints, and one. */
const PAYMENTS = [2n * PRICE, PRICE]

const PACE = {
  CHECK_INTERVAL: "500ms",
  MINT_INTERVAL: "200ms",
  MINT_TIMEOUT: "2s",
  MAX_BATCH_SIZE: String(MINTS_A_BATCH)
}

/** Places the order of each story, each for a token and by a person of its own, and pays for all of them. */
const placeAll = Effect.fnUntraced(function* (name: string, stories: ReadonlyArray<Told>) {
  const orders = yield* Effect.forEach(stories, (story) =>
    Effect.gen(function* () {
      const who = yield* person(`${name}, ${story.name}`)
      return { ...story, who, id: yield* placeOrder(who, MINTS, story.token) }
    })
  )
  yield* payAll(
    yield* World,
    orders.map(({ who }) => ({ who, mints: MINTS }))
  )
  return orders
})
type Order = Effect.Success<ReturnType<typeof placeAll>>[number]

interface Told extends Story {
  readonly token: Address
}

/** The order ends as it should, by the table and by the chain alone. */
const assertEnds = Effect.fnUntraced(function* ({ name, ends, id, who, token }: Order, { said }: Running) {
  const { chain } = yield* World
  const outcome = yield* eventually(
    `the end of the order with: ${name}`,
    Effect.map(outcomeOf(id), (it) =>
      it.held || it.status === "completed" || it.status === "failed" ? it : undefined
    ),
    () =>
      said.stdout
        .split("\n")
        .filter((line) => line.includes(id.slice(0, 8)))
        .join("\n")
  )
  const paid = yield* paymentsFrom(chain, USDC, who.agentAddress)
  const minted = yield* mintsTo(chain, token, who.userAddress)
  const { status, held, minted: counted, retries } = outcome
  const expected =
    ends === "held"
      ? // What was minted and never paid for is a person's to decide: nothing is paid, and nothing more is minted.
        { status: "processing", held: true, counted: 0, paid: [], minted: MINTS_A_BATCH }
      : { status: "completed", held: false, counted: MINTS, paid: PAYMENTS, minted: MINTS }
  assert.deepStrictEqual({ status, held, counted, paid, minted }, expected, name)
  if (ends === undefined) assert.strictEqual(retries, 0, name)
})

/** All stories at once, with an executor of their own. */
const tell = Effect.fnUntraced(function* (name: string, window: string, stories: ReadonlyArray<Told>) {
  const world = yield* World
  const url = yield* Postgres.freshDatabase()
  const env = { ...deployment(world, url), ...PACE, AUTHORIZATION_WINDOW: window }
  const executor = yield* startExecutor(yield* temporaryDirectory, env)
  yield* executor.line("Monitoring for funded tasks...")
  yield* Effect.gen(function* () {
    const orders = yield* placeAll(name, stories)
    yield* Effect.forEach(orders, (order) => assertEnds(order, executor), { concurrency: "unbounded" })
  }).pipe(Effect.provide(clientAt(url)))
  yield* executor.kill("SIGTERM")
  assert.deepStrictEqual(yield* executor.ended, { code: 0, signal: null })
})

/** A mint server that does these things to the tokens of the stories, from now on. */
const prepare = Effect.fnUntraced(function* () {
  const { tokens } = yield* World
  const all = [...whereItLapses, ...whereItIsSentAgain].map((story, index): Told => {
    const token = tokens[index] ?? assert.fail("there are too few tokens")
    return { ...story, token }
  })
  faults.set(all.flatMap(({ token, faults }) => faults.map((fault) => ({ ...fault, token }))))
  return { lapsing: all.slice(0, whereItLapses.length), sentAgain: all.slice(whereItLapses.length) }
})

describe("the executor and a mint server that does it wrong", () => {
  layer(World.layer, { timeout: TIMEOUT_MS, excludeTestServices: true })((it) => {
    it.effect(
      "pay once for each batch and get each mint once, whatever goes wrong, and whether or not a payment lapses",
      () =>
        Effect.gen(function* () {
          const { lapsing, sentAgain } = yield* prepare()
          yield* Effect.all([tell("lapsing", "10s", lapsing), tell("sent again", "60s", sentAgain)], {
            concurrency: "unbounded"
          })
          const injected = faults.injected()
          const asked = new Set([...lapsing, ...sentAgain].flatMap((story) => story.faults.map(({ kind }) => kind)))
          assert.sameMembers(Object.keys(injected), [...asked], "every fault was met")
        })
    )
  })
})
