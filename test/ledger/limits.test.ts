import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import type { Batch } from "../../src/domain/Batch.ts"
import type { LimitScope } from "../../src/domain/Limit.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { DecisionRepo } from "../../src/ledger/DecisionRepo.ts"
import { TaskRepo, wasFirst } from "../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../support/LedgerFixture.ts"
import { clientAt, ledger, ledgerAndFixture } from "../support/LedgerSql.ts"
import * as Postgres from "../support/Postgres.ts"
import { DECISION } from "./contract/deciding.ts"
import { batchOf, givenPlanned, givenWallet, NOW_MS, signed, TOKEN } from "./contract/given.ts"

const EXECUTORS = 4
const BATCHES = 24
const ROUNDS = 4

/** Each batch is signed for a dollar and a half. */
const SIGNED = 1_500_000n

/** The ledger of an executor, on connections of its own. */
const executorAt = Effect.fnUntraced(function* (url: string) {
  const services = yield* Layer.build(Layer.fresh(ledger().pipe(Layer.provide(clientAt(url, 3)))))
  return { tasks: Context.get(services, TaskRepo), decisions: Context.get(services, DecisionRepo) }
})

type Executor = Effect.Success<ReturnType<typeof executorAt>>

const onDatabase = <A, E, R>(test: (executors: ReadonlyArray<Executor>) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const url = yield* Postgres.freshDatabase({ isUpToDate: true })
    const executors = yield* Effect.forEach(Array.from({ length: EXECUTORS }), () => executorAt(url))
    return yield* Effect.provide(test(executors), ledgerAndFixture().pipe(Layer.provideMerge(clientAt(url, 3))), {
      local: true
    })
  })

const givenBatches = Effect.gen(function* () {
  yield* (yield* LedgerFixture).clear
  return yield* Effect.forEach(
    Array.from({ length: BATCHES }, (_, n) => n + 1),
    (seed) => Effect.flatMap(Effect.flatMap(givenWallet(seed), givenPlanned), (task) => batchOf(task, 1))
  )
})

const setLimit = ({ decisions }: Executor, scope: LimitScope, perDay: bigint) =>
  wasFirst(decisions.setLimit({ scope, perDay: usdc(perDay), reason: "launch", sinceMs: NOW_MS }, DECISION))

const claim = ({ tasks }: Executor, before: Batch) =>
  wasFirst(tasks.saveBatch({ before, after: signed(before) }, NOW_MS))

/** Every executor claims each of the batches, at once and each in another order. */
const claimAll = (executors: ReadonlyArray<Executor>, batches: ReadonlyArray<Batch>) =>
  Effect.forEach(
    executors,
    (executor, at) => {
      const turned = at % 2 === 0 ? batches : batches.toReversed()
      return Effect.forEach(turned, (batch) => claim(executor, batch), { concurrency: 8 })
    },
    { concurrency: "unbounded" }
  )

/** What was signed, by the rows themselves. */
const signedSum = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly sum: bigint }>`
    SELECT coalesce(sum(signed_amount), 0)::bigint AS sum FROM ai_agent_batches WHERE status <> 'planned'`
  return row?.sum
})

describe("a limit under four executors", () => {
  it.live("is kept to the cent, whatever they claim at once", () =>
    onDatabase((executors) =>
      Effect.gen(function* () {
        const [first] = executors
        assert.isDefined(first)
        for (let round = 0; round < ROUNDS; round++) {
          const batches = yield* givenBatches
          yield* setLimit(first, "all", 10n * SIGNED + 1n)
          yield* setLimit(first, `token:${TOKEN}`, 11n * SIGNED)
          for (const { recipient } of batches.slice(0, 3)) yield* setLimit(first, `user:${recipient}`, SIGNED - 1n)
          yield* claimAll(executors, batches)
          assert.isAtMost(Number(yield* signedSum), Number(10n * SIGNED))
          // One by one, there is room up to the last.
          for (const batch of batches) yield* claim(first, batch)
          assert.strictEqual(yield* signedSum, 10n * SIGNED)
          const { limits } = first.decisions
          const used = new Map((yield* limits(NOW_MS)).map((limit) => [limit.scope, limit.used]))
          assert.deepStrictEqual([used.get("all"), used.get(`token:${TOKEN}`)], [10n * SIGNED, 10n * SIGNED])
          for (const { recipient } of batches.slice(0, 3)) assert.strictEqual(used.get(`user:${recipient}`), 0n)
        }
      })
    )
  )

  it.live("is in force once it is set, beside claims that are under way", () =>
    onDatabase((executors) =>
      Effect.gen(function* () {
        const [first] = executors
        assert.isDefined(first)
        for (let round = 0; round < ROUNDS; round++) {
          const batches = yield* givenBatches
          const limiting = Effect.andThen(setLimit(first, "all", 5n * SIGNED), signedSum)
          const [before] = yield* Effect.all([limiting, claimAll(executors, batches)], { concurrency: "unbounded" })
          const most = Math.max(Number(before), Number(5n * SIGNED))
          assert.isAtMost(Number(yield* signedSum), most)
          yield* setLimit(first, "all", BigInt(BATCHES) * SIGNED)
          for (const batch of batches) yield* claim(first, batch)
          assert.strictEqual(yield* signedSum, BigInt(BATCHES) * SIGNED)
        }
      })
    )
  )
})
