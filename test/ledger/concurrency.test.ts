import { assert, describe, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { deliver } from "../../src/domain/transferTransitions.ts"
import type { Wallet } from "../../src/domain/Wallet.ts"
import { type LedgerError, type TaskRepo, wasFirst } from "../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../support/LedgerFixture.ts"
import { clientAt, ledgerAndFixture, ledgerAt } from "../support/LedgerSql.ts"
import * as Postgres from "../support/Postgres.ts"
import {
  batchOf,
  cut,
  evidence,
  funding,
  givenFoundPaid,
  givenFunded,
  givenOrder,
  givenPaid,
  givenPlanned,
  givenWallet,
  hash,
  mintsOf,
  NOW_MS,
  ordersOf,
  signed,
  TIP,
  workOf
} from "./contract/given.ts"

const ROUNDS = 8

type Repo = TaskRepo["Service"]

/** The ledgers of two executors that run on one database by mistake. */
class Executors extends Context.Service<Executors, readonly [Repo, Repo]>()("test/Executors") {}

const executors = Layer.unwrap(
  Effect.map(Postgres.freshDatabase({ isUpToDate: true }), (url) =>
    Layer.effect(Executors, Effect.all([ledgerAt(url), ledgerAt(url)])).pipe(
      Layer.merge(ledgerAndFixture().pipe(Layer.provide(clientAt(url, 2))))
    )
  )
)

const atOnce = <A, E, R>(works: ReadonlyArray<Effect.Effect<A, E, R>>) =>
  Effect.all(works, { concurrency: "unbounded" })

const repeat = <E, R>(round: Effect.Effect<void, E, R>, rounds = ROUNDS) =>
  Effect.gen(function* () {
    const fixture = yield* LedgerFixture
    for (let count = 0; count < rounds; count++) {
      yield* fixture.clear
      yield* round
    }
  })

/** `items` in the other direction: whoever takes the same locks in another order meets the first one half-way. */
const turned = <A>(items: ReadonlyArray<A>, turn: boolean): ReadonlyArray<A> => (turn ? items.toReversed() : items)

describe("two executors on one database", () => {
  layer(executors, { excludeTestServices: true })((it) => {
    it.effect("of twenty fundings of a wallet at once, one wins", () =>
      repeat(
        Effect.gen(function* () {
          const repos = yield* Executors
          const wallet = yield* givenWallet()
          const ids = yield* Effect.forEach(Array.from({ length: 20 }), () => givenOrder(wallet))
          const orders = yield* ordersOf(wallet)
          const funded = yield* atOnce(
            ids.map((id, index) => repos[index % 2 === 0 ? 0 : 1].fund([funding(orders, id)], TIP, NOW_MS))
          )
          assert.lengthOf(funded.flat(), 1)
          const after = yield* ordersOf(wallet)
          assert.lengthOf(after.pending, 19)
          assert.strictEqual(after.version, 1n)
          assert.strictEqual(after.reserved, orders.pending[0]?.totalCost)
        })
      )
    )

    it.effect("an order is funded or cancelled, never both", () =>
      repeat(
        Effect.gen(function* () {
          const [one, other] = yield* Executors
          const wallet = yield* givenWallet()
          const id = yield* givenOrder(wallet)
          const orders = yield* ordersOf(wallet)
          const timedOut = { ...evidence(orders, id), message: "not paid" }
          const [funded, cancelled] = yield* atOnce([
            one.fund([funding(orders, id)], TIP, NOW_MS),
            other.cancel([timedOut], TIP, NOW_MS)
          ])
          assert.deepStrictEqual([...(funded ?? []), ...(cancelled ?? [])], [id])
          const { status } = yield* (yield* LedgerFixture).readTask(id)
          assert.strictEqual(status, funded?.length === 1 ? "funded" : "cancelled")
          assert.strictEqual((yield* workOf(wallet)).reserved, status === "funded" ? orders.pending[0]?.totalCost : 0n)
        })
      )
    )

    it.effect("an order is planned once, by one of them", () =>
      repeat(
        Effect.gen(function* () {
          const [one, other] = yield* Executors
          const wallet = yield* givenWallet()
          const task = yield* givenFunded(wallet)
          const plans = [cut(task, wallet, 1), cut(task, wallet, 3)] as const
          const won = yield* atOnce([
            wasFirst(one.plan(task, plans[0], NOW_MS)),
            wasFirst(other.plan(task, plans[1], NOW_MS))
          ])
          assert.sameMembers(won, [true, false])
          const batches = yield* (yield* LedgerFixture).readBatches(task.id)
          assert.deepStrictEqual(batches, won[0] === true ? plans[0] : plans[1])
        })
      )
    )

    it.effect("an order of v1.1's is taken over once", () =>
      repeat(
        Effect.gen(function* () {
          const [one, other] = yield* Executors
          const wallet = yield* givenWallet()
          yield* (yield* LedgerFixture).editTask(yield* givenOrder(wallet), { status: "processing" })
          const [task] = (yield* workOf(wallet)).tasks
          if (task === undefined) return yield* Effect.die("no task")
          const won = yield* atOnce([
            wasFirst(one.plan(task, cut(task, wallet, 1), NOW_MS)),
            wasFirst(other.plan(task, cut(task, wallet, 3), NOW_MS))
          ])
          assert.sameMembers(won, [true, false])
          assert.lengthOf(yield* (yield* LedgerFixture).readBatches(task.id), won[0] === true ? 4 : 2)
        })
      )
    )

    it.effect("a payment is claimed once, and the claim that counts is the winner's", () =>
      repeat(
        Effect.gen(function* () {
          const [one, other] = yield* Executors
          const before = yield* batchOf(yield* givenPlanned(yield* givenWallet()), 1)
          const claims = [
            { ...signed(before), sends: 1 },
            { ...signed(before), sends: 2 }
          ] as const
          const won = yield* atOnce([
            wasFirst(one.saveBatch({ before, after: claims[0] }, NOW_MS)),
            wasFirst(other.saveBatch({ before, after: claims[1] }, NOW_MS))
          ])
          assert.sameMembers(won, [true, false])
          const { batches } = yield* workOf({ id: before.walletId })
          assert.deepInclude(batches[0], { version: 1, sends: won[0] === true ? 1 : 2 })
        })
      )
    )

    it.effect("a mint that two batches want is one's", () =>
      repeat(
        Effect.gen(function* () {
          const [one, other] = yield* Executors
          const wallet = yield* givenWallet()
          const tasks = [yield* givenFoundPaid(wallet), yield* givenFoundPaid(wallet)] as const
          const batches = [yield* batchOf(tasks[0], 1), yield* batchOf(tasks[1], 1)] as const
          // The same two mints, looked at from both ends.
          const mints = [hash(1), hash(2)].map((tx, index) => ({ tx, part: 0, logIndex: 0, mintNumber: index + 1 }))
          const won = yield* atOnce([
            wasFirst(one.saveBatch({ before: batches[0], after: deliver(batches[0], 2, NOW_MS), mints }, NOW_MS)),
            wasFirst(
              other.saveBatch(
                { before: batches[1], after: deliver(batches[1], 2, NOW_MS), mints: mints.toReversed() },
                NOW_MS
              )
            )
          ])
          assert.sameMembers(won, [true, false])
          const fixture = yield* LedgerFixture
          const counted = yield* Effect.forEach(tasks, ({ id }) => fixture.readTask(id))
          assert.deepStrictEqual(
            counted.map((task) => task.mintsCompleted),
            won[0] === true ? [2, 0] : [0, 2]
          )
        })
      )
    )

    it.effect("whatever they do at once, they never wait for each other in a circle", () =>
      repeat(
        Effect.gen(function* () {
          const repos = yield* Executors
          const wallets = yield* Effect.forEach([1, 2, 3, 4], (seed) => givenWallet(seed))
          const works = yield* Effect.forEach(wallets, givenWorkOfEveryKind)
          const all = works.flatMap(({ pending }) => pending)
          yield* atOnce(
            [0, 1, 2, 3].flatMap((lap): ReadonlyArray<Effect.Effect<unknown, LedgerError>> => {
              const repo = repos[lap % 2 === 0 ? 0 : 1]
              const turn = lap % 2 === 1
              const orders = turned(all, turn)
              return [
                repo.fund(
                  orders.filter((_, index) => index % 3 === 0),
                  TIP,
                  NOW_MS
                ),
                repo.cancel(orders.filter((_, index) => index % 3 === 1).map(asCancellation), TIP, NOW_MS),
                repo.hold(
                  orders.map(({ taskId }) => ({ taskId, reason: "a person looks" })),
                  NOW_MS
                ),
                ...turned(works, turn).flatMap((work) => work.stepsBy(repo))
              ]
            })
          )
          for (const wallet of wallets) yield* checkMoney(wallet)
        }),
        4
      )
    )
  })
})

const asCancellation = ({ taskId, walletId, version }: ReturnType<typeof funding>) => ({
  taskId,
  walletId,
  version,
  message: "not paid"
})

/** A wallet with orders that wait, one to plan, one to sign and one to deliver, and the next step of each. */
const givenWorkOfEveryKind = Effect.fnUntraced(function* (wallet: Wallet) {
  const [toDeliver, toSign] = [yield* givenPlanned(wallet), yield* givenPlanned(wallet)]
  const paid = yield* givenPaid(toDeliver, 1)
  const planned = yield* batchOf(toSign, 1)
  const toPlan = yield* givenFunded(wallet)
  const ids = yield* Effect.forEach(Array.from({ length: 4 }), () => givenOrder(wallet))
  const orders = yield* ordersOf(wallet)
  const refused = { retryCount: 1, refusal: "no", nextActionAtMs: NOW_MS + 5_000 }
  return {
    pending: ids.map((id) => funding(orders, id)),
    stepsBy: (repo: Repo) => [
      wasFirst(repo.plan(toPlan, cut(toPlan, wallet, 2), NOW_MS)),
      wasFirst(repo.saveTask(toSign, refused, NOW_MS)),
      wasFirst(
        repo.saveBatch(
          { before: planned, after: signed(planned), onlyFor: toSign, task: { expected: toSign, change: refused } },
          NOW_MS
        )
      ),
      wasFirst(repo.saveBatch({ before: paid, after: deliver(paid, 2, NOW_MS), mints: mintsOf(paid, 2) }, NOW_MS)),
      repo.hold(
        [toDeliver, toPlan].map(({ id }) => ({ taskId: id, reason: "a person looks" })),
        NOW_MS
      )
    ]
  }
})

/** What is reserved is what the wallet's rows say, whoever wrote them in whatever order. */
const checkMoney = Effect.fnUntraced(function* (wallet: Wallet) {
  const { reserved, batches } = yield* workOf(wallet)
  const live = batches.filter((batch) => batch.status === "signed")
  assert.isAtMost(live.length, 1)
  assert.isTrue(reserved >= live.reduce((total, batch) => total + (batch.window?.amount ?? 0n), 0n))
})
