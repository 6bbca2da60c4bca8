import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import { assert } from "@effect/vitest"
import { Duration, Effect, Option } from "effect"
import { SqlClient } from "effect/sql"
import type { SettingsShape } from "../../src/config/Settings.ts"
import { address } from "../../src/domain/Address.ts"
import type { TaskId } from "../../src/domain/Task.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { NoOffer, type PaymentAnswer } from "../../src/mint/Minter.ts"
import { MemoryLedger } from "../support/memory/MemoryLedger.ts"
import { inMemory, onWorld, pass, start } from "../support/executor.ts"
import { paidOrder, readTask } from "../support/orders.ts"
import { World } from "../support/World.ts"

export const WHY = "the person asked"

export const STRANGER = address(`0x${"5a".repeat(20)}`)

export const units = (amount: number) => usdc(BigInt(Math.round(amount * 1_000_000)))

/** A payment whose outcome is unknown is void after half a minute: these stories are long enough. */
const SHORT: Partial<SettingsShape> = { authorizationWindow: Duration.seconds(30) }

/** An operator at the production wiring, on empty tables. */
export const atWork =
  (changes: Partial<SettingsShape> = {}) =>
  <A, E, R>(test: Effect.Effect<A, E, R>) =>
    test.pipe(Effect.provide(NodeCrypto.layerSecureRandom), onWorld({ ...SHORT, ...changes }))

/** The same with the ledger in memory. */
export const atWorkInMemory =
  (changes: Partial<SettingsShape> = {}) =>
  <A, E, R>(test: Effect.Effect<A, E, R>) =>
    test.pipe(Effect.provide(NodeCrypto.layerSecureRandom), inMemory({ ...SHORT, ...changes }))

type Story = () => Generator<Effect.Effect<unknown, unknown, unknown>, void, never>

interface Cases {
  readonly effect: (name: string, test: () => Effect.Effect<void, unknown>) => void
}

/** Makes a case of a story of a world that provides all that it asks for. */
export const casesIn =
  (it: Cases, inWorld: (test: Effect.Effect<void, unknown, unknown>) => Effect.Effect<void, unknown, unknown>) =>
  (name: string, story: Story) =>
    it.effect(name, () => inWorld(Effect.gen(story)) as Effect.Effect<void, unknown>)

/** At the production wiring: with the ledger in memory or, where a case needs SQL or its triggers, in PostgreSQL. */
export const stories = (it: Cases) => ({
  inMemory: casesIn(it, atWorkInMemory()),
  onSql: casesIn(it, atWork())
})

/** The words with which a command was refused. */
export const refusal = <A, E extends { readonly message: string }, R>(command: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(command), ({ message }) => message)

/** Nothing of an answer ever arrives. */
export const lost: PaymentAnswer = { _tag: "Unclear", reason: "no answer from the mint server" }

interface DecisionView {
  readonly command: string
  readonly task_id: string | null
  readonly said: string
  readonly why: string
}

export const decisions = Effect.gen(function* () {
  const memory = yield* Effect.serviceOption(MemoryLedger)
  if (Option.isSome(memory)) {
    const made = yield* memory.value.read((tables) => tables.decisions)
    return made.map(({ command, taskId = null, said, why }): DecisionView => ({ command, task_id: taskId, said, why }))
  }
  const sql = yield* SqlClient.SqlClient
  return yield* sql<DecisionView>`SELECT command, task_id, said, why FROM ai_agent_decisions ORDER BY id`
})

/** One decision was made, by this command. */
export const assertDecided = Effect.fnUntraced(function* (command: string, taskId: TaskId | null) {
  const made = yield* decisions
  assert.deepStrictEqual(
    made.map(({ command: name, task_id, why }) => ({ command: name, task_id, why })),
    [{ command, task_id: taskId, why: WHY }]
  )
})

export const assertUndecided = Effect.map(decisions, (made) => assert.deepStrictEqual(made, []))

/** An order for five mints whose payment went wrong in this way, until it is held. */
export const givenHeld = Effect.fnUntraced(function* (how: "cancelled" | "misused" | "minted and never paid") {
  const world = yield* World
  const { who, task } = yield* paidOrder("ann", 5)
  world.manners.pay = ({ payment, mint }) => {
    if (how === "cancelled") world.cancelAuthorization(payment.from, payment.nonce)
    else if (how === "misused") world.useElsewhere(payment.from, payment.nonce, STRANGER, payment.value)
    else mint(5)
    return lost
  }
  yield* start
  yield* pass(how === "minted and never paid" ? 70 : 20)
  assert.include((yield* readTask(task)).error_message, "Held for the operator: batch 1")
  delete world.manners.pay
  return { world, who, task }
})

/** An order for five mints that was paid for, and nothing was minted. */
export const givenUndelivered = Effect.fnUntraced(function* () {
  const world = yield* World
  const { who, task } = yield* paidOrder("ann", 5)
  world.manners.pay = ({ settle }) => {
    settle()
    return lost
  }
  yield* start
  yield* pass(20)
  return { world, who, task }
})

/** An order for so many mints that was refused until it failed. */
export const givenFailed = Effect.fnUntraced(function* (quantity = 5) {
  const world = yield* World
  const { who, task } = yield* paidOrder("ann", quantity)
  world.manners.quote = () => new NoOffer({ reason: "Refused", message: "no" })
  yield* start
  yield* pass(60)
  assert.strictEqual((yield* readTask(task)).status, "failed")
  delete world.manners.quote
  return { world, who, task }
})

/** A write before which something else happens. */
export const interrupted = <A extends ReadonlyArray<unknown>, B, E, R>(
  write: (...args: A) => Effect.Effect<B, E>,
  event: Effect.Effect<unknown, unknown, R>
) =>
  Effect.map(
    Effect.context<R>(),
    (services) =>
      (...args: A) =>
        event.pipe(Effect.provideContext(services), Effect.orDie, Effect.andThen(write(...args)))
  )
