import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Result } from "effect"
import { SqlClient } from "effect/sql"
import { recheck } from "../../src/domain/transferTransitions.ts"
import { TaskRepo, wasFirst } from "../../src/ledger/TaskRepo.ts"
import { clientAt, ledgerAndFixture, ledgerAt } from "../support/LedgerSql.ts"
import * as Postgres from "../support/Postgres.ts"
import { countingClient } from "../support/countingClient.ts"
import { advance, batchOf, givenPlanned, givenWallet, NOW_MS, signed } from "./contract/given.ts"

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

const look = (repo: TaskRepo["Service"], before: Live) =>
  wasFirst(repo.saveBatch({ before, after: recheck(before, NOW_MS) }, NOW_MS))

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
        const looks = yield* Effect.forEach(live, (before) => look(repo, before), { concurrency: "unbounded" })
        assert.isTrue(looks.every((isMade) => isMade))
        // Begin, lock, write, commit.
        assert.strictEqual(statements, 4)
      }).pipe(Effect.provide(ledgerAndFixture().pipe(Layer.provideMerge(client)), { local: true }))
    })
  )

  it.live("do not wait for one of which another program has the row, nor fail with one that cannot be written", () =>
    onDatabase((url) =>
      Effect.gen(function* () {
        const repo = yield* ledgerAt(url)
        const sql = yield* SqlClient.SqlClient
        const live = yield* givenLive
        const [locked, odd, ...others] = live
        if (locked === undefined || odd === undefined) return yield* Effect.die("no batches")
        const [isLocked, mayEnd] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const keeping = sql`SELECT 1 FROM ai_agent_batches WHERE task_id = ${locked.taskId}::uuid FOR UPDATE`.pipe(
          Effect.andThen(Deferred.succeed(isLocked, undefined)),
          Effect.andThen(Deferred.await(mayEnd)),
          sql.withTransaction
        )
        const keeper = yield* Effect.forkChild(keeping)
        yield* Deferred.await(isLocked)
        const waiting = yield* Effect.forkChild(look(repo, locked))
        // More mints than the batch has is what no row may say.
        const wrong = { before: odd, after: { ...recheck(odd, NOW_MS), minted: odd.quantity + 1 } }
        const refused = yield* Effect.forkChild(Effect.flip(wasFirst(repo.saveBatch(wrong, NOW_MS))))
        const looking = Effect.forEach(others, (before) => look(repo, before), { concurrency: "unbounded" })
        const looks = yield* Effect.result(looking)
        const wasWaiting = waiting.pollUnsafe() === undefined
        // Before anything may fail here: no transaction is left open.
        yield* Deferred.succeed(mayEnd, undefined)
        yield* Fiber.join(keeper)
        assert.deepStrictEqual(looks, Result.succeed(others.map(() => true)))
        assert.isTrue(wasWaiting)
        assert.strictEqual((yield* Fiber.join(refused)).reason, "Rejected")
        assert.isTrue(yield* Fiber.join(waiting))
      })
    )
  )

  it.live("of two programs, over the same wallets from either end, are each made once", () =>
    onDatabase((url) =>
      Effect.gen(function* () {
        const repos = [yield* ledgerAt(url), yield* ledgerAt(url)] as const
        let live = yield* givenLive
        for (let round = 0; round < 8; round++) {
          const [one, other] = yield* Effect.all(
            [live, live.toReversed()].map((some, index) =>
              Effect.forEach(some, (before) => look(repos[index === 0 ? 0 : 1], before), { concurrency: "unbounded" })
            ),
            { concurrency: "unbounded" }
          )
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
