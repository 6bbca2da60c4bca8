import type { TransferState } from "./Authorization.ts"

/** USDC that left a wallet, as the chain has shown; below zero where that is not on chain any more. */
export interface Spent {
  readonly amount: bigint
  readonly block: bigint
}

/** The payment that this very step of a transfer proves, or takes back. */
export const paymentIn = (before: TransferState, after: TransferState): Spent | undefined => {
  const isTakenBack = before.paymentTx !== undefined && after.paymentTx === undefined
  const { paidAmount: amount, paymentBlock: block } = isTakenBack ? before : after
  if (amount === undefined || block === undefined) return undefined
  if (isTakenBack) return { amount: -amount, block }
  return before.paymentTx === undefined ? { amount, block } : undefined
}

/** Whether a step changes what its wallet has, or what of it is reserved. */
export const movesMoney = (before: TransferState, after: TransferState): boolean =>
  after.status !== before.status || paymentIn(before, after) !== undefined
