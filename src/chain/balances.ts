import { Array as Arr, Effect } from "effect"
import { toFunctionSelector } from "viem"
import type { UsdcContract } from "../config/Network.ts"
import type { Address } from "../domain/Address.ts"
import { usdc } from "../domain/Usdc.ts"
import type { UsdcState } from "../domain/UsdcState.ts"
import type { ChainClient } from "./ChainClient.ts"
import type { Confirmed } from "./confirmed.ts"
import { aggregate, type Read, read, readAllAt } from "./multicall.ts"
import type { Rpc } from "./rpc.ts"
import { usdcAbi } from "./usdc.ts"

/** 1,000 wallets are one question for the head and three calls of 400 reads. */
export const makeReadBalances = (
  rpc: Rpc,
  confirmed: Confirmed,
  contract: UsdcContract
): ChainClient["Service"]["readBalances"] => {
  const operation = "read balances"
  return Effect.fn("ChainClient.readBalances")((wallets) => {
    const distinct = Arr.dedupe(wallets)
    const reads = distinct.map((wallet) => balanceRead(contract, wallet))
    return confirmed
      .at(operation, (number) => readAllAt(rpc, operation, reads, number, stateReads(contract, [])))
      .pipe(
        Effect.map(({ block, answers, beside }) => ({
          block,
          usdc: new Map(Arr.zip(distinct, answers.map(usdc))),
          isPaused: stateOf([], beside).isPaused
        }))
      )
  })
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

/**
 * Whether USDC moves, and whether these accounts may move it: reads to add to a call that is made anyway. A contract
 * without these functions stops no transfer.
 */
export const stateReads = ({ address }: UsdcContract, accounts: ReadonlyArray<Address>): ReadonlyArray<Read<boolean>> =>
  [
    read(address, usdcAbi, "paused"),
    ...accounts.map((account) => read(address, usdcAbi, "isBlacklisted", [account]))
  ].map((one) => ({ ...one, orElse: false }))

export const stateOf = (accounts: ReadonlyArray<Address>, answers: ReadonlyArray<boolean>): UsdcState => ({
  isPaused: answers[0] === true,
  blacklisted: new Set(accounts.filter((_, index) => answers[index + 1] === true))
})

/** In the newest block of the node, which the mint server sees as well: it can only make work wait. */
export const makeUsdcState = (rpc: Rpc, contract: UsdcContract): ChainClient["Service"]["usdcState"] =>
  Effect.fn("ChainClient.usdcState")(function* (accounts) {
    const { answers } = yield* rpc.ask("ask whether USDC moves", aggregate(stateReads(contract, accounts)))
    return stateOf(
      accounts,
      answers.map((answer) => answer === true)
    )
  })
