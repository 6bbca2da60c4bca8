import type { Batch } from "./Batch.ts"

/** USDC that left a wallet, as the chain has shown; below zero where that is not on chain any more. */
export interface Spent {
  readonly amount: bigint
  readonly block: bigint
}

/** The payment that this very step of a batch proves, or takes back. */
export const paymentIn = (before: Batch, after: Batch): Spent | undefined => {
  const isTakenBack = before.paymentTx !== undefined && after.paymentTx === undefined
  const { paidAmount: amount, paymentBlock: block } = isTakenBack ? before : after
  if (amount === undefined || block === undefined) return undefined
  if (isTakenBack) return { amount: -amount, block }
  return before.paymentTx === undefined ? { amount, block } : undefined
}

/** Whether a step changes what its wallet has, or what of it is reserved. */
export const movesMoney = (before: Batch, after: Batch): boolean =>
  after.status !== before.status || paymentIn(before, after) !== undefined
