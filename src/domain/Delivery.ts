import type { Batch } from "./Batch.ts"
import type { Bytes32 } from "./Address.ts"

/** A mint on chain: where it happened. */
interface MintedAt {
  readonly tx: Bytes32
  readonly block: bigint
}

/** So often is a transaction looked for that the server named and no node shows; then it is no longer waited for. */
const NAMED_LOOKS = 5

/**
 * Which of the mints that belong to no batch yet are this batch's: those in the transactions that the server named;
 * where it named none, the next ones since the payment's block, and where there are none, those before it: a server may
 * mint before it settles. Never more than are missing.
 */
export const mintsOf = <M extends MintedAt>(batch: Batch, unclaimed: ReadonlyArray<M>): ReadonlyArray<M> => {
  const missing = batch.quantity - batch.minted
  const named = unclaimed.filter((mint) => batch.mintTxs.includes(mint.tx))
  if (named.length > 0) return named.slice(0, missing)
  if (batch.mintTxs.length > 0 && batch.looks < NAMED_LOOKS) return []
  const sincePayment = unclaimed.filter((mint) => mint.block >= (batch.paymentBlock ?? 0n))
  return (sincePayment.length > 0 ? sincePayment : unclaimed).slice(0, missing)
}
