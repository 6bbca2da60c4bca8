import { assert, describe, layer } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { deliver, sign } from "../../src/domain/transferTransitions.ts"
import { planRefund } from "../../src/domain/Refund.ts"
import type { TaskId } from "../../src/domain/Task.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import type { Wallet, WalletId } from "../../src/domain/Wallet.ts"
import { DecisionRepo } from "../../src/ledger/DecisionRepo.ts"
import { TaskRepo, wasFirst } from "../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../support/LedgerFixture.ts"
import { CHAIN, clientAt, ledger, ledgerAndFixture } from "../support/LedgerSql.ts"
import * as Postgres from "../support/Postgres.ts"
import { AT_MS, DECISION, versionOf } from "./contract/deciding.ts"
import {
  batchOf,
  cut,
  evidence,
  funding,
  givenFoundPaid,
  givenFunded,
  givenOrder,
  givenPlanned,
  givenWallet,
  NOW_MS,
  ordersOf,
  signed,
  taskOf,
  TIP,
  uuid
} from "./contract/given.ts"

/** A program with the ledger, on connections of its own. */
interface Program {
  readonly tasks: TaskRepo["Service"]
  readonly decisions: DecisionRepo["Service"]
  readonly sql: SqlClient.SqlClient
}

class Programs extends Context.Service<Programs, readonly [Program, Program]>()("test/Programs") {}

const programAt = Effect.fnUntraced(function* (url: string) {
  const services = yield* Layer.build(Layer.fresh(ledger().pipe(Layer.provideMerge(clientAt(url, 3)))))
  return {
    tasks: Context.get(services, TaskRepo),
    decisions: Context.get(services, DecisionRepo),
    sql: Context.get(services, SqlClient.SqlClient)
  } satisfies Program as Program
})

const programs = Layer.unwrap(
  Effect.map(Postgres.freshDatabase({ isUpToDate: true }), (url) =>
    Layer.effect(Programs, Effect.all([programAt(url), programAt(url)])).pipe(
      Layer.merge(ledgerAndFixture().pipe(Layer.provide(clientAt(url, 2))))
    )
  )
)

const Waiting = Schema.Array(Schema.Struct({ count: Schema.BigInt }))

/** Whether a statement of another connection to this database waits for a lock. */
const someoneWaits = ({ sql }: Program) =>
  Effect.gen(function* () {
    const raw = yield* sql`
      SELECT count(*) AS count FROM pg_stat_activity
      WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0`
    return ((yield* Schema.decodeUnknownEffect(Waiting)(raw))[0]?.count ?? 0n) > 0n
  })

/**
 * What `second` comes to where it begins while `first` is done and not committed: it waits for the first one's locks, or
 * ends before.
 */
const beside = Effect.fnUntraced(function* <A, B, E, E2, R>(
  first: (program: Program) => Effect.Effect<A, E, R>,
  second: (program: Program) => Effect.Effect<B, E2, R>
) {
  const [one, other] = yield* Programs
  const [isDone, mayCommit] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
  const held = first(one).pipe(
    Effect.tap(Deferred.succeed(isDone, undefined)),
    Effect.tap(Deferred.await(mayCommit)),
    one.sql.withTransaction
  )
  const firstFiber = yield* Effect.forkChild(held)
  yield* Deferred.await(isDone)
  const secondFiber = yield* Effect.forkChild(second(other))
  while (!(yield* someoneWaits(one)) && secondFiber.pollUnsafe() === undefined) yield* Effect.yieldNow
  yield* Deferred.succeed(mayCommit, undefined)
  return { first: yield* Fiber.join(firstFiber), second: yield* Fiber.join(secondFiber) }
})

const stop =
  (walletId: WalletId, version: bigint) =>
  ({ tasks }: Program) =>
    wasFirst(tasks.stopWallet({ walletId, version, reason: "money is missing" }, NOW_MS))

const hold =
  (taskId: TaskId) =>
  ({ tasks }: Program) =>
    tasks.hold([{ taskId, reason: "a person looks" }], NOW_MS)

const pauseAll = ({ decisions }: Program) =>
  wasFirst(decisions.pause({ scope: "all", reason: "the server is odd", sinceMs: AT_MS }, DECISION))

const refundOf = (wallet: Wallet) =>
  planRefund({ id: uuid(7), wallet, amount: usdc(1_000_000n), ...CHAIN, nowMs: NOW_MS })

const askRefund = (wallet: Wallet, version: bigint) => (program: Program) =>
  wasFirst(program.decisions.askRefund(refundOf(wallet), { version, uses: [] }, TIP, DECISION))

describe("what is decided on PostgreSQL beside another program that is about to commit", () => {
  layer(programs, { excludeTestServices: true })((it) => {
    const races = (
      sentence: string,
      proof: () => Generator<Effect.Effect<unknown, unknown, Programs | TaskRepo | LedgerFixture>, void, never>
    ) =>
      it.effect(sentence, () =>
        Effect.andThen(
          Effect.flatMap(LedgerFixture, ({ clear }) => clear),
          Effect.gen(proof)
        )
      )

    const givenClaim = Effect.gen(function* () {
      const wallet = yield* givenWallet()
      const task = yield* givenPlanned(wallet)
      const before = yield* batchOf(task, 1)
      const claim = ({ tasks }: Program) =>
        wasFirst(tasks.saveBatch({ before, after: signed(before), onlyFor: task }, NOW_MS))
      return { wallet, task, claim, version: yield* versionOf(wallet) }
    })

    races(
      "an order whose row another program keeps is left out, and the others are funded, cancelled and held",
      function* () {
        const wallet = yield* givenWallet()
        const [kept, paid, late, odd] = [
          yield* givenOrder(wallet),
          yield* givenOrder(wallet),
          yield* givenOrder(wallet),
          yield* givenOrder(wallet)
        ]
        const keep = ({ sql }: Program) => sql`SELECT 1 FROM ai_agent_tasks WHERE id = ${kept}::uuid FOR UPDATE`
        const before = yield* ordersOf(wallet)
        const fund = ({ tasks }: Program) =>
          tasks.fund(
            [kept, paid].map((id) => funding(before, id)),
            TIP,
            NOW_MS
          )
        assert.deepStrictEqual((yield* beside(keep, fund)).second, [paid])
        const now = yield* ordersOf(wallet)
        const cancel = ({ tasks }: Program) =>
          tasks.cancel(
            [kept, late].map((id) => ({ ...evidence(now, id), message: "not paid" })),
            TIP,
            NOW_MS
          )
        assert.deepStrictEqual((yield* beside(keep, cancel)).second, [late])
        const hold = ({ tasks }: Program) =>
          tasks.hold(
            [kept, odd].map((taskId) => ({ taskId, reason: "a person looks" })),
            NOW_MS
          )
        assert.deepStrictEqual((yield* beside(keep, hold)).second, [odd])
      }
    )

    races("a wallet is stopped though another program keeps the row of an order of it", function* () {
      const wallet = yield* givenWallet()
      const [kept, other] = [(yield* givenFunded(wallet)).id, yield* givenOrder(wallet)]
      const keep = ({ sql }: Program) => sql`SELECT 1 FROM ai_agent_tasks WHERE id = ${kept}::uuid FOR UPDATE`
      assert.isTrue((yield* beside(keep, stop(wallet.id, yield* versionOf(wallet)))).second)
      const fixture = yield* LedgerFixture
      assert.include((yield* fixture.readTask(other)).errorMessage, "money is missing")
      assert.isUndefined((yield* fixture.readTask(kept)).errorMessage)
    })

    races("a payment is not claimed for an order that is being held", function* () {
      const { task, claim } = yield* givenClaim
      assert.isFalse((yield* beside(hold(task.id), claim)).second)
      assert.strictEqual((yield* batchOf(task, 1)).status, "planned")
    })

    races("a payment is not claimed from a wallet that is being stopped", function* () {
      const { wallet, claim, version } = yield* givenClaim
      assert.deepStrictEqual(yield* beside(stop(wallet.id, version), claim), { first: true, second: false })
    })

    races("a payment is not claimed beside a pause that is told to be in force", function* () {
      const { claim } = yield* givenClaim
      assert.deepStrictEqual(yield* beside(pauseAll, claim), { first: true, second: false })
    })

    races("a pause is told to be in force when the claims before it are done", function* () {
      const { task, claim } = yield* givenClaim
      const paused = (program: Program) =>
        Effect.andThen(
          pauseAll(program),
          Effect.map(batchOf(task, 1), ({ status }) => status)
        )
      assert.deepStrictEqual(yield* beside(claim, paused), { first: true, second: "signed" })
    })

    for (const [what, bar] of [
      ["stopped", (wallet: Wallet) => stop(wallet.id, 1n)],
      ["paused", () => pauseAll]
    ] as const) {
      races(`a refund is not claimed from a wallet that is being ${what}`, function* () {
        const wallet = yield* givenWallet()
        const refund = refundOf(wallet)
        const [program] = yield* Programs
        assert.isTrue(yield* askRefund(wallet, 0n)(program))
        const window = { amount: refund.amount, payTo: refund.payTo, validAfter: 1, validBefore: 2, block: 1n }
        const claim = ({ tasks }: Program) =>
          wasFirst(tasks.saveRefund({ before: refund, after: sign(refund, window, NOW_MS) }, NOW_MS))
        assert.deepStrictEqual(yield* beside(bar(wallet), claim), { first: true, second: false })
      })
    }

    races("an order that is being held is not funded, cancelled by its deadline, failed or put off", function* () {
      const wallet = yield* givenWallet()
      for (const step of ["fund", "cancel"] as const) {
        const id = yield* givenOrder(wallet)
        const orders = yield* ordersOf(wallet)
        const timedOut = { ...evidence(orders, id), message: "not paid" }
        const move = ({ tasks }: Program) =>
          step === "fund" ? tasks.fund([funding(orders, id)], TIP, NOW_MS) : tasks.cancel([timedOut], TIP, NOW_MS)
        assert.deepStrictEqual(yield* beside(hold(id), move), { first: [id], second: [] })
        assert.strictEqual((yield* (yield* LedgerFixture).readTask(id)).status, "pending_payment")
      }
      for (const change of [{ status: "failed" }, { retryCount: 1, errorMessage: "Retry 1/3: no" }] as const) {
        const task = yield* givenFunded(wallet)
        const move = ({ tasks }: Program) => wasFirst(tasks.saveTask(task, change, NOW_MS))
        assert.deepStrictEqual(yield* beside(hold(task.id), move), { first: [task.id], second: false })
        const { status, errorMessage } = yield* (yield* LedgerFixture).readTask(task.id)
        assert.deepStrictEqual([status, errorMessage], ["funded", "a person looks"])
      }
    })

    races("an order of a wallet that is being stopped is neither cancelled nor funded nor begun", function* () {
      const wallet = yield* givenWallet()
      const task = yield* givenFunded(wallet)
      const id = yield* givenOrder(wallet)
      const orders = yield* ordersOf(wallet)
      const moves = [
        ({ tasks }: Program) => tasks.cancel([{ ...evidence(orders, id), message: "not paid" }], TIP, NOW_MS),
        ({ tasks }: Program) => tasks.fund([funding(orders, id)], TIP, NOW_MS),
        ({ tasks }: Program) =>
          Effect.map(wasFirst(tasks.plan(task, cut(task, wallet, 2), NOW_MS)), (did) => (did ? [task.id] : []))
      ]
      for (const move of moves) {
        const race = yield* beside(stop(wallet.id, orders.version), move)
        assert.deepStrictEqual(race, { first: true, second: [] })
        yield* (yield* SqlOf).unsafe("UPDATE ai_agent_wallet_state SET stopped_at = NULL, version = version - 1")
      }
    })

    races("a plan is not written for an order that is being held, or taken over with other mints", function* () {
      const wallet = yield* givenWallet()
      const funded = yield* givenFunded(wallet)
      const plan = ({ tasks }: Program) => wasFirst(tasks.plan(funded, cut(funded, wallet, 2), NOW_MS))
      assert.isFalse((yield* beside(hold(funded.id), plan)).second)
      const id = yield* givenOrder(wallet)
      yield* (yield* LedgerFixture).editTask(id, { status: "processing" })
      const left = yield* taskOf(wallet, id)
      const adopt = ({ decisions }: Program) =>
        wasFirst(decisions.release({ task: left, adopt: { mintsCompleted: 3 } }, DECISION, NOW_MS))
      const planAll = ({ tasks }: Program) => wasFirst(tasks.plan(left, cut(left, wallet, 2), NOW_MS))
      assert.deepStrictEqual(yield* beside(adopt, planAll), { first: true, second: false })
    })

    races("credit is not refunded beside an order that is being placed", function* () {
      const wallet = yield* givenWallet()
      yield* givenFunded(wallet)
      const order = { id: uuid(9), wallet, token: wallet.userAddress, quantity: 1, pricePerMint: usdc(1n) }
      const place = ({ decisions }: Program) => wasFirst(decisions.createTask(order, DECISION, NOW_MS))
      const race = yield* beside(place, askRefund(wallet, yield* versionOf(wallet)))
      assert.deepStrictEqual(race, { first: true, second: false })
    })

    races(
      "mints of two payments of one order, found after a restore, are all counted where they come at once",
      function* () {
        const task = yield* givenFoundPaid(yield* givenWallet())
        const [one, two] = [yield* batchOf(task, 1), yield* batchOf(task, 2)]
        const first = [{ tx: one.nonce, part: 0, logIndex: 0, mintNumber: one.firstMint }]
        const second = [{ tx: two.nonce, part: 0, logIndex: 0, mintNumber: two.firstMint }]
        yield* beside(
          ({ tasks }) =>
            wasFirst(tasks.saveBatch({ before: one, after: deliver(one, 1, NOW_MS), mints: first }, NOW_MS)),
          ({ tasks }) =>
            wasFirst(tasks.saveBatch({ before: two, after: deliver(two, 1, NOW_MS), mints: second }, NOW_MS))
        )
        assert.strictEqual((yield* (yield* LedgerFixture).readTask(task.id)).mintsCompleted, 2)
      }
    )
  })
})

const SqlOf = Effect.map(Programs, ([{ sql }]) => sql)
