import { assert, layer } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { ChainError } from "../../src/chain/ChainClient.ts"
import type { TaskId } from "../../src/domain/Task.ts"
import type { PaymentAnswer } from "../../src/mint/Minter.ts"
import * as Postgres from "../support/Postgres.ts"
import { LedgerError } from "../../src/ledger/TaskRepo.ts"
import { type Around, launch, LogLines, onWorld, pass } from "../support/executor.ts"
import { paidOrder, type Person, readTask } from "../support/orders.ts"
import { World } from "../support/World.ts"

const QUANTITY = 12
const SETTINGS = { maxBatchSize: 6, drainTimeout: Duration.zero }

const isDoneOnce = Effect.fnUntraced(function* ({ who, task }: { who: Person; task: TaskId }, where: string) {
  const world = yield* World
  const { status, mints_completed, retry_count } = yield* readTask(task)
  const wanted = { status: "completed", mints_completed: QUANTITY, retry_count: 0 }
  assert.deepStrictEqual({ status, mints_completed, retry_count }, wanted, where)
  assert.strictEqual(world.paidBy(who.agentAddress).length, 2, where)
  assert.strictEqual(world.mintsTo(who.userAddress), QUANTITY, where)
  const { all } = yield* LogLines
  assert.deepStrictEqual(
    all.filter((line) => line.includes("[ERROR]")),
    [],
    where
  )
})

/** The `nth` question to the ledger fails: `before` it was asked, or `after` it was done and nobody heard. */
const failingAt = (nth: number, moment: "before" | "after") => {
  const state = { asked: 0, failed: "" }
  const around: Around = (operation, work) =>
    Effect.suspend(() => {
      if (++state.asked !== nth) return work
      state.failed = `${operation}, number ${nth}, ${moment}`
      const reason = moment === "before" ? "Unavailable" : "Timeout"
      const failure = Effect.fail(new LedgerError({ reason, operation, detail: "test" }) as never)
      return moment === "before" ? failure : Effect.andThen(work, failure)
    })
  return { state, around }
}

/** What the mint server may do to any one request, with everything else in order. */
const tricks: Record<
  string,
  (request: { settle: () => boolean; mint: (count: number) => unknown }, count: number) => PaymentAnswer
> = {
  "does nothing and answers nothing": () => ({ _tag: "Unclear", reason: "reset" }),
  "does nothing and refuses": () => ({ _tag: "Refused", reason: "no" }),
  "does nothing and says accepted": () => ({ _tag: "Accepted", mintTxs: [], paymentTx: undefined }),
  "settles and answers nothing": ({ settle }) => (settle(), { _tag: "Unclear", reason: "reset" }),
  "settles and refuses": ({ settle }) => (settle(), { _tag: "Refused", reason: "no" }),
  "settles, mints and refuses": ({ settle, mint }, count) => {
    settle()
    mint(count)
    return { _tag: "Refused", reason: "no" }
  },
  "mints, settles and says nothing of either": ({ settle, mint }, count) => {
    mint(count)
    settle()
    return { _tag: "Accepted", mintTxs: [], paymentTx: undefined }
  }
}

layer(Postgres.session())("an order is paid and minted once where", (it) => {
  for (const moment of ["before", "after"] as const) {
    const name = moment === "before" ? "does not hear" : "does not answer, though it did what it was told,"
    it.effect(`the database ${name} any one question`, () =>
      Effect.gen(function* () {
        const live = (nth: number) =>
          Effect.gen(function* () {
            const ann = yield* paidOrder("ann", QUANTITY)
            const { state, around } = failingAt(nth, moment)
            yield* pass(6)
            const executor = yield* launch(SETTINGS, around)
            yield* pass(110)
            yield* isDoneOnce(ann, state.failed)
            yield* executor.kill
            return state.failed
          }).pipe(onWorld(SETTINGS))
        // The first question is the count of open tasks at the start: without an answer there is no start.
        for (let nth = 2; nth <= 32; nth++) assert.notStrictEqual(yield* live(nth), "")
      })
    )
  }

  it.effect("the chain does not answer any one question", () =>
    Effect.gen(function* () {
      const live = (nth: number) =>
        Effect.gen(function* () {
          const world = yield* World
          const ann = yield* paidOrder("ann", QUANTITY)
          let asked = 0
          world.onChainCall = (operation) =>
            ++asked === nth ? new ChainError({ reason: "Timeout", operation, detail: "test" }) : Effect.void
          yield* pass(6)
          const executor = yield* launch(SETTINGS)
          yield* pass(60)
          yield* isDoneOnce(ann, `question ${nth}`)
          yield* executor.kill
        }).pipe(onWorld(SETTINGS))
      // The first question is asked at the start: without an answer there is no start.
      for (let nth = 2; nth <= 19; nth++) yield* live(nth)
    })
  )

  for (const [name, trick] of Object.entries(tricks)) {
    it.effect(`the mint server ${name} at the first, the second or the first three requests`, () =>
      Effect.gen(function* () {
        const live = (from: number, to: number) =>
          Effect.gen(function* () {
            const world = yield* World
            const ann = yield* paidOrder("ann", QUANTITY)
            world.manners.pay = ({ settle, mint, order }) =>
              world.payments.length >= from && world.payments.length <= to
                ? trick({ settle, mint }, order.quantity)
                : undefined
            yield* pass(6)
            const executor = yield* launch({ ...SETTINGS, maxRetryCount: 5 })
            yield* pass(800)
            yield* isDoneOnce(ann, `requests ${from} to ${to}`)
            yield* executor.kill
          }).pipe(onWorld({ ...SETTINGS, logLevel: "Info" }))
        yield* live(1, 1)
        yield* live(2, 2)
        yield* live(1, 3)
      })
    )
  }
})
