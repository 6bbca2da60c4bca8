import { describe, layer } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import type { DecisionRepo } from "../../src/ledger/DecisionRepo.ts"
import type { TaskRepo } from "../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../support/LedgerFixture.ts"
import { badRowPromises } from "./contract/badRows.ts"
import { decidingPromises } from "./contract/deciding.ts"
import { decidingMoneyPromises } from "./contract/decidingMoney.ts"
import { decidingBatchPromises } from "./contract/decidingBatch.ts"
import { booksPromises } from "./contract/books.ts"
import { reorganisingPromises } from "./contract/reorganising.ts"
import { endPromises } from "./contract/ends.ts"
import { fundingPromises } from "./contract/funding.ts"
import type { Promises } from "./contract/given.ts"
import { holdingPromises } from "./contract/holding.ts"
import { limitPromises } from "./contract/limits.ts"
import { moneyPromises } from "./contract/money.ts"
import { pausingPromises } from "./contract/pausing.ts"
import { payInPromises } from "./contract/payIns.ts"
import { pinPromises } from "./contract/pins.ts"
import { planningPromises } from "./contract/planning.ts"
import { preparingPromises } from "./contract/preparing.ts"
import { questionPromises } from "./contract/questions.ts"
import { readingPromises } from "./contract/reading.ts"
import { stepPromises } from "./contract/steps.ts"
import { togetherPromises } from "./contract/together.ts"

const rooms: ReadonlyArray<readonly [string, (promises: Promises) => void]> = [
  ["reading orders", readingPromises],
  ["rows that are no orders", badRowPromises],
  ["funding and cancelling", fundingPromises],
  ["setting aside", holdingPromises],
  ["what is reserved", moneyPromises],
  ["the books of a wallet", booksPromises],
  ["what a reorganised chain takes back", reorganisingPromises],
  ["whose a wallet is", pinPromises],
  ["planning", planningPromises],
  ["steps of a batch", stepPromises],
  ["steps that are made at once", togetherPromises],
  ["ends of an order", endPromises],
  ["questions", questionPromises],
  ["what is prepared for an order", preparingPromises],
  ["a person's decision about an order", decidingPromises],
  ["a person's decision about a batch", decidingBatchPromises],
  ["a person's decision about money", decidingMoneyPromises],
  ["pauses and new orders", pausingPromises],
  ["orders that are paid in", payInPromises],
  ["limits", limitPromises]
]

/** Everything that `TaskRepo` and `DecisionRepo` promise, proven on any ledger. */
export const suite = <E>(name: string, ledger: Layer.Layer<TaskRepo | DecisionRepo | LedgerFixture, E>): void =>
  layer(ledger)(name, (it) => {
    const promises: Promises = (sentence, proof) =>
      it.effect(sentence, () =>
        Effect.andThen(
          Effect.flatMap(LedgerFixture, (fixture) => fixture.clear),
          Effect.gen(proof)
        )
      )
    for (const [room, register] of rooms) describe(room, () => register(promises))
  })
