import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { usdc } from "../../src/domain/Usdc.ts"
import type { Bytes32 } from "../../src/domain/Address.ts"
import type { PaymentAnswer } from "../../src/mint/Minter.ts"
import { LogLines } from "../support/executor.ts"
import type { PaymentRequest } from "../support/World.ts"

/** An amount of USDC. */
export const units = (amount: number) => usdc(BigInt(Math.round(amount * 1_000_000)))

/** Of the only wallet that has been looked at. */
export const books = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) =>
    sql<{ readonly book_balance: bigint | null; readonly stopped_reason: string | null }>`
      SELECT book_balance, stopped_reason FROM ai_agent_wallet_state`
).pipe(Effect.map((rows) => rows[0]))

/** How many events of a kind there are. */
export const told = Effect.fnUntraced(function* (kind: string) {
  const sql = yield* SqlClient.SqlClient
  return (yield* sql`SELECT 1 FROM ai_agent_events WHERE kind = ${kind}`).length
})

/** No answer of the mint server arrives. */
export const lost: PaymentAnswer = { _tag: "Unclear", reason: "no answer" }

/** The mint server says that it is done. */
export const accepted = (...mintTxs: ReadonlyArray<Bytes32>): PaymentAnswer => {
  return { _tag: "Accepted", mintTxs, paymentTx: undefined }
}

type Answer = PaymentAnswer | Effect.Effect<PaymentAnswer>

/** The mint server takes the money, if it can, and answers this. */
export const settles =
  (answer: Answer) =>
  ({ settle }: PaymentRequest) => {
    settle()
    return answer
  }

/** It takes the money and mints so many, once for each payment. */
export const settlesAndMints =
  (count: number, answer: Answer) =>
  ({ settle, mint }: PaymentRequest) => {
    settle()
    mint(count)
    return answer
  }

/** It mints so many and takes no money. */
export const mints =
  (count: number, answer: Answer) =>
  ({ mint }: PaymentRequest) => {
    mint(count)
    return answer
  }

/** How many lines of the log have these words. */
export const logged = (words: string) =>
  Effect.map(LogLines, ({ all }) => all.filter((line) => line.includes(words)).length)
