import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { DecisionRepo, type PauseScope } from "../../../src/ledger/DecisionRepo.ts"
import { TaskRepo, wasFirst } from "../../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../../support/LedgerFixture.ts"
import { assertNoted, AT_MS, DECISION } from "./deciding.ts"
import {
  accepted,
  advance,
  batchOf,
  givenOrder,
  givenPlanned,
  givenWallet,
  NOW_MS,
  PRICE,
  type Promises,
  save,
  signed,
  TOKEN,
  uuid,
  workOf
} from "./given.ts"

const noteAll = Effect.gen(function* () {
  const repo = yield* TaskRepo
  return yield* repo.notePauses((yield* repo.unnotedPauses(10)).map(({ taskId }) => taskId))
})

const pause = (scope: PauseScope, sinceMs = AT_MS) =>
  Effect.flatMap(DecisionRepo, (repo) =>
    wasFirst(repo.pause({ scope, reason: "the server is odd", sinceMs }, DECISION))
  )

const resume = (scope: PauseScope) =>
  Effect.flatMap(DecisionRepo, (repo) => wasFirst(repo.resume(scope, DECISION, AT_MS)))

const dueWallets = Effect.flatMap(TaskRepo, (repo) => repo.dueWallets(NOW_MS, 10))

export const pausingPromises = (promises: Promises): void => {
  promises("what is paused is told, once, until it goes on", function* () {
    assert.isTrue(yield* pause("all", AT_MS + 1))
    assert.isTrue(yield* pause(`token:${TOKEN}`))
    assert.isFalse(yield* pause("all"))
    const { pauses } = yield* DecisionRepo
    assert.deepStrictEqual(
      (yield* pauses).map(({ scope, reason, sinceMs }) => [scope, reason, sinceMs]),
      [
        [`token:${TOKEN}`, "the server is odd", AT_MS],
        ["all", "the server is odd", AT_MS + 1]
      ]
    )
    assert.isTrue(yield* resume("all"))
    assert.isFalse(yield* resume("all"))
    assert.lengthOf(yield* pauses, 1)
    yield* assertNoted({}, {}, {})
  })

  promises("a change of USDC's code pauses everything once, in addition to what a person paused", function* () {
    const repo = yield* TaskRepo
    const noteUsdcCode = (code: string, nowMs: number) =>
      Effect.map(repo.noteUsdcCode({ code, isSure: true }, nowMs), ({ before }) => before)
    const { pauses } = yield* DecisionRepo
    yield* noteUsdcCode("0xold", AT_MS)
    assert.isUndefined(yield* noteUsdcCode("0xold", AT_MS))
    assert.lengthOf(yield* pauses, 0)
    assert.strictEqual((yield* repo.noteUsdcCode({ code: "0xnew", isSure: false }, AT_MS)).before, "0xold")
    assert.lengthOf(yield* pauses, 0)
    assert.strictEqual(yield* noteUsdcCode("0xnew", AT_MS), "0xold")
    assert.isUndefined(yield* noteUsdcCode("0xnew", AT_MS))
    const [paused] = yield* pauses
    assert.strictEqual(paused?.scope, "all")
    assert.include(paused?.reason ?? "", "the code of USDC changed from 0xold to 0xnew")
    assert.isTrue(yield* resume("all"))
    assert.isUndefined(yield* noteUsdcCode("0xnew", AT_MS))
    assert.lengthOf(yield* pauses, 0)
    yield* pause("all")
    assert.strictEqual(yield* noteUsdcCode("0xold", AT_MS), "0xnew")
    assert.match((yield* pauses)[0]?.reason ?? "", /^the server is odd; the code of USDC changed from 0xnew to 0xold/)
  })

  promises("what a pause keeps waiting says so in its row, and no longer where none does", function* () {
    const fixture = yield* LedgerFixture
    const wallet = yield* givenWallet()
    const [waiting, flying] = [yield* givenPlanned(wallet), yield* givenPlanned(wallet)]
    yield* advance(yield* batchOf(flying, 1), signed)
    const leftByV1 = yield* givenOrder(wallet)
    yield* fixture.editTask(leftByV1, { status: "processing" })
    const rows = Effect.forEach([waiting.id, flying.id, leftByV1], fixture.readTask)
    const before = yield* rows
    yield* pause(`token:${TOKEN}`)
    yield* pause("all")
    assert.deepStrictEqual(yield* noteAll, [waiting.id])
    const message = "Waiting: paused: the server is odd"
    assert.deepStrictEqual(
      (yield* rows).map((row) => row?.errorMessage),
      [message, undefined, undefined]
    )
    yield* resume("all")
    assert.deepStrictEqual(yield* noteAll, [], "it waits for the other pause, which was ordered in the same words")
    assert.strictEqual((yield* fixture.readTask(waiting.id))?.errorMessage, message)
    yield* resume(`token:${TOKEN}`)
    assert.deepStrictEqual(yield* noteAll, [waiting.id])
    assert.deepStrictEqual(yield* rows, before, "with the times that they had")
  })

  promises("no payment is signed for what is paused, and its wallet is not woken for it", function* () {
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    const batch = yield* batchOf(task, 1)
    for (const scope of ["all", `token:${TOKEN}`, `wallet:${wallet.id}`] as const) {
      yield* pause(scope)
      assert.isFalse(yield* save({ before: batch, after: signed(batch) }))
      assert.deepStrictEqual(yield* dueWallets, [])
      const work = yield* workOf(wallet)
      if (scope.startsWith("token")) assert.deepStrictEqual([...work.pausedTokens], [[TOKEN, "the server is odd"]])
      else assert.strictEqual(work.stopped, "paused: the server is odd")
      yield* resume(scope)
      assert.deepStrictEqual(yield* dueWallets, [wallet.id])
    }
    assert.isTrue(yield* save({ before: batch, after: signed(batch) }))
  })

  promises("a pause of another wallet or token is none, and what is on its way is followed", function* () {
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    yield* pause(`wallet:${uuid(99)}`)
    yield* pause(`token:${wallet.userAddress}`)
    const flying = yield* advance(yield* batchOf(task, 1), signed)
    yield* pause("all")
    yield* advance(flying, accepted)
    assert.isUndefined((yield* workOf(wallet)).batches.find(({ status }) => status === "signed"))
  })

  promises("an order that is placed by command is an order, and the same one again is none", function* () {
    const wallet = yield* givenWallet()
    const repo = yield* DecisionRepo
    const order = { id: uuid(7), wallet, token: TOKEN, quantity: 3, pricePerMint: PRICE }
    assert.isTrue(yield* wasFirst(repo.createTask(order, DECISION, NOW_MS)))
    assert.isFalse(yield* wasFirst(repo.createTask({ ...order, quantity: 4 }, DECISION, NOW_MS)))
    const row = yield* (yield* LedgerFixture).readTask(order.id)
    assert.deepInclude(row, { walletId: wallet.id, quantity: 3, totalCost: PRICE * 3n, createdAtMs: NOW_MS })
    assert.strictEqual(row.status, "pending_payment")
    yield* assertNoted({ taskId: order.id, walletId: wallet.id })
  })
}
