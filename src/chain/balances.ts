import { Array as Arr, Effect } from "effect"
import { toFunctionSelector } from "viem"
import type { UsdcContract } from "../config/Network.ts"
import type { Address } from "../domain/Address.ts"
import { usdc } from "../domain/Usdc.ts"
import * as Log from "../ops/Log.ts"
import { makeExplainNonces, nonceReads } from "./authorizations.ts"
import type { AuthorizationQuery, ChainClient } from "./ChainClient.ts"
import type { Confirmed } from "./confirmed.ts"
import { type Read, readAllAt } from "./multicall.ts"
import type { Rpc } from "./rpc.ts"
import { stateOf, stateReads } from "./usdcState.ts"

/**
 * 1,000 wallets are one question for the head and three calls of 400 reads. Payments are asked about in the same calls:
 * what is unused in that block has brought nothing that its balances hold.
 */
export const makeReadBalances = (
  rpc: Rpc,
  confirmed: Confirmed,
  contract: UsdcContract
): ChainClient["Service"]["readBalances"] => {
  const operation = "read balances"
  const explain = makeExplainNonces(rpc, contract)
  const readInBlock = Effect.fnUntraced(function* (
    wallets: ReadonlyArray<Address>,
    payments: ReadonlyArray<AuthorizationQuery>,
    number: bigint
  ) {
    const reads = wallets.map((wallet) => balanceRead(contract, wallet))
    // What has no answer may be spent: it is looked for in the logs, and else not known.
    const nonces = nonceReads(contract, payments).map((one) => ({ ...one, orElse: true }))
    const others: ReadonlyArray<Read<boolean>> = [...stateReads(contract, []), ...nonces]
    const { block, answers, beside } = yield* readAllAt(rpc, operation, reads, number, others)
    const isSpent = beside.slice(others.length - nonces.length)
    // A search of logs that fails leaves the payments open, and hinders nothing else.
    const outcomes = yield* explain(operation, payments, isSpent, number).pipe(
      Effect.catch((error) =>
        Effect.as(
          Log.warnOnce("payments", `⚠️ How payments for orders were used is not known: ${error.message}`),
          isSpent.map((spent) => (spent ? ({ _tag: "Unexplained" } as const) : ({ _tag: "Unused" } as const)))
        )
      )
    )
    const usdcOf = new Map(Arr.zip(wallets, answers.map(usdc)))
    return { block, usdc: usdcOf, isPaused: stateOf([], beside).isPaused, outcomes }
  })
  return Effect.fn("ChainClient.readBalances")((wallets, payments = []) =>
    confirmed.at(operation, (number) => readInBlock(Arr.dedupe(wallets), payments, number))
  )
}

/** `balanceOf(address)`, by its selector. */
const BALANCE_OF = toFunctionSelector("balanceOf(address)")

/**
 * The balance of a wallet. A sweep reads those of all its wallets: viem takes thirty times as long to encode the question
 * and to decode the answer, which is one word.
 */
const balanceRead = ({ address }: UsdcContract, wallet: Address): Read<bigint> => ({
  target: address,
  data: `${BALANCE_OF}${wallet.slice(2).padStart(WORD_DIGITS, "0")}`,
  decode: (returned) => {
    const word = returned.slice(0, 2 + WORD_DIGITS)
    if (word.length < 2 + WORD_DIGITS) throw new TypeError(`${returned} is no balance`)
    return BigInt(word)
  }
})

/** 32 bytes in hex. */
const WORD_DIGITS = 64
