import { Effect } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import type { Batch } from "../domain/Batch.ts"
import { counted } from "../domain/text.ts"
import { mintKey, TaskRepo } from "../ledger/TaskRepo.ts"

/** How many blocks before its payment a server may have minted for a batch whose time of signing is unknown. */
const EARLY_BLOCKS = 150n

/** Mints of a token to a person that belong to no batch yet, from `fromBlock` (inclusive), oldest first. */
export const unclaimedMints = Effect.fnUntraced(function* (
  { token, recipient, portion }: Pick<Batch, "token" | "recipient" | "portion">,
  fromBlock: bigint,
  everywhere = false
) {
  const mints = yield* (yield* ChainClient).findMints({ token, recipient, fromBlock, portion, everywhere })
  const claimed = yield* (yield* TaskRepo).attributedMints({ token, recipient }, mints)
  return mints.filter((mint) => !claimed.has(mintKey(mint)))
})

/**
 * Mints that the batch's payment may have brought. A server may mint before it settles: they are searched from the
 * first block after the one that was confirmed when the payment was signed.
 */
export const mintsFor = (batch: Batch, everywhere = false) => {
  const paidBlock = batch.paymentBlock ?? 0n
  const early = paidBlock > EARLY_BLOCKS ? paidBlock - EARLY_BLOCKS : 0n
  return unclaimedMints(batch, batch.window === undefined ? early : batch.window.block + 1n, everywhere)
}

/** Mints that no payment stands behind: the server made them when it was asked for the price, or for a lapsed payment. */
export const mintsUnpaid = (batch: Batch) =>
  batch.asked === undefined ? Effect.succeed([]) : unclaimedMints(batch, batch.asked.since + 1n, true)

export const neverPaidFor = (mints: { readonly length: number }): string =>
  `${counted(mints.length, "mint was", "mints were")} made and never paid for`
