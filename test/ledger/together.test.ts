import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Layer, Result } from "effect"
import { SqlClient } from "effect/sql"
import { recheck } from "../../src/domain/transferTransitions.ts"
import { TaskRepo, wasFirst } from "../../src/ledger/TaskRepo.ts"
import { clientAt, ledgerAndFixture, ledgerAt } from "../support/LedgerSql.ts"
import * as Postgres from "../support/Postgres.ts"
import { countingClient } from "../support/countingClient.ts"
import { advance, batchOf, givenPlanned, givenWallet, NOW_MS, proven, signed, taskOf } from "./contract/given.ts"

const LIVE = 20

/** Payments in flight, of a wallet each. */
const givenLive = Effect.forEach(
  Array.from({ length: LIVE }, (_, index) => index + 1),
  (seed) =>
    Effect.gen(function* () {
      const task = yield* givenPlanned(yield* givenWallet(seed))
      return yield* advance(yield* batchOf(task, 1), signed)
    })
)

type Live = Effect.Success<typeof givenLive>[number]

/** Rows that another program may be at, and of which batch. */
const KEPT = {
  batch: (sql: SqlClient.SqlClient, { taskId }: Live) =>
    sql`SELECT FROM ai_agent_batches WHERE task_id = ${taskId}::uuid`,
  order: (sql: SqlClient.SqlClient, { taskId }: Live) => sql`SELECT FROM ai_agent_tasks WHERE id = ${taskId}::uuid`,
  wallet: (sql: SqlClient.SqlClient, { walletId }: Live) =>
    sql`SELECT FROM ai_agent_wallet_state WHERE wallet_id = ${walletId}::uuid`
}

const look = (repo: TaskRepo["Service"], before: Live) =>
  wasFirst(repo.saveBatch({ before, after: recheck(before, NOW_MS) }, NOW_MS))

const lookAll = (repo: TaskRepo["Service"], live: ReadonlyArray<Live>) =>
  Effect.forEach(live, (before) => look(repo, before), { concurrency: "unbounded" })

/** How many transactions have written these rows last. */
const transactionsOf = Effect.fnUntraced(function* (live: ReadonlyArray<Live>) {
  const sql = yield* SqlClient.SqlClient
  const ids = live.map(({ taskId }) => taskId)
  const rows = yield* sql`
    SELECT DISTINCT xmin::text FROM ai_agent_batches WHERE number = 1 AND task_id = ANY(${ids}::uuid[])`
  return rows.length
})

/** On a new database, with the other programs beside it. */
const onDatabase = <A, E, R>(test: (url: string) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(Postgres.freshDatabase({ isUpToDate: true }), (url) =>
    Effect.provide(test(url), ledgerAndFixture().pipe(Layer.provideMerge(clientAt(url))), { local: true })
  )

describe("steps of many wallets in PostgreSQL", () => {
  it.live("are one transaction where they are made in the same moment", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.freshDatabase({ isUpToDate: true })
      let statements = 0
      const client = countingClient(url, () => void statements++)
      yield* Effect.gen(function* () {
        const live = yield* givenLive
        const repo = yield* TaskRepo
        statements = 0
        const looks = yield* lookAll(repo, live)
        assert.isTrue(looks.every((isMade) => isMade))
        // Begin, lock, write, commit.
        assert.strictEqual(statements, 4)
      }).pipe(Effect.provide(ledgerAndFixture().pipe(Layer.provideMerge(client)), { local: true }))
    })
  )

  for (const [row, rowOf] of Object.entries(KEPT)) {
    it.live(`do not wait for one of which another program has the ${row}`, () =>
      onDatabase((url) =>
        Effect.gen(function* () {
          const repo = yield* ledgerAt(url, { databaseTimeout: Duration.seconds(5) })
          const sql = yield* SqlClient.SqlClient
          const [kept, ...others] = yield* givenLive
          if (kept === undefined) return yield* Effect.die("no batches")
          const [isKept, mayEnd] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
          const keeping = sql`${rowOf(sql, kept)} FOR UPDATE`.pipe(
            Effect.andThen(Deferred.succeed(isKept, undefined)),
            Effect.andThen(Deferred.await(mayEnd)),
            sql.withTransaction
          )
          // Writes all three rows.
          const task = yield* taskOf({ id: kept.walletId }, kept.taskId)
          const proof = {
            before: kept,
            after: proven(kept),
            task: { expected: task, change: { errorMessage: "paid" } }
          }
          const keeper = yield* Effect.forkChild(keeping)
          yield* Deferred.await(isKept)
          const waiting = yield* Effect.forkChild(wasFirst(repo.saveBatch(proof, NOW_MS)))
          const looks = yield* Effect.result(lookAll(repo, others))
          const wasWaiting = waiting.pollUnsafe() === undefined
          // Before anything may fail here: no transaction is left open.
          yield* Deferred.succeed(mayEnd, undefined)
          yield* Fiber.join(keeper)
          assert.deepStrictEqual(looks, Result.succeed(others.map(() => true)))
          assert.isTrue(wasWaiting)
          assert.isTrue(yield* Fiber.join(waiting))
          // After a wait in vain each would have been made by itself.
          assert.strictEqual(yield* transactionsOf(others), 1)
        })
      )
    )
  }

  it.live("do not fail with one that cannot be written", () =>
    onDatabase((url) =>
      Effect.gen(function* () {
        const repo = yield* ledgerAt(url)
        const [odd, ...others] = yield* givenLive
        if (odd === undefined) return yield* Effect.die("no batches")
        // More mints than the batch has is what no row may say.
        const wrong = { before: odd, after: { ...recheck(odd, NOW_MS), minted: odd.quantity + 1 } }
        const refused = yield* Effect.forkChild(Effect.flip(wasFirst(repo.saveBatch(wrong, NOW_MS))))
        const looks = yield* Effect.result(lookAll(repo, others))
        assert.deepStrictEqual(looks, Result.succeed(others.map(() => true)))
        assert.strictEqual((yield* Fiber.join(refused)).reason, "Rejected")
      })
    )
  )

  it.live("of two programs, over the same wallets from either end, are each made once", () =>
    onDatabase((url) =>
      Effect.gen(function* () {
        const repos = [yield* ledgerAt(url), yield* ledgerAt(url)] as const
        let live = yield* givenLive
        for (let round = 0; round < 8; round++) {
          const [one, other] = yield* Effect.all([lookAll(repos[0], live), lookAll(repos[1], live.toReversed())], {
            concurrency: "unbounded"
          })
          const made = live.map((_, index) => [one?.[index], other?.[LIVE - 1 - index]].filter(Boolean).length)
          assert.deepStrictEqual(
            made,
            live.map(() => 1)
          )
          live = live.map((batch) => ({ ...recheck(batch, NOW_MS), version: batch.version + 1 }))
        }
      })
    )
  )
})
