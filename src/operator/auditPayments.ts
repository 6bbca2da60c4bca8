import type { Spending } from "../chain/ChainClient.ts"
import type { Bytes32 } from "../domain/Address.ts"
import { isLive } from "../domain/Authorization.ts"
import { shortId } from "../domain/Task.ts"
import { isBatch, type Transfer } from "../domain/transferTransitions.ts"
import { format, type Usdc } from "../domain/Usdc.ts"
import type { Account } from "../ledger/DecisionRepo.ts"
import { type ChainView, type Difference, type AuditFinding, isAnsweredFor } from "./audit.ts"

/** A row that can explain a transfer: a batch or a refund. */
export interface Claim {
  /** `batch 2 of task abc12345`. */
  readonly name: string
  readonly nonce: Bytes32
  readonly status: string
  /** Signed, and its outcome not proven. */
  readonly isLive: boolean
  /** What was signed, where it is known. */
  readonly signed: { readonly to: string; readonly amount: Usdc } | undefined
  /** What the ledger says the chain showed. */
  readonly paid: { readonly tx: Bytes32; readonly block: bigint; readonly amount: Usdc | undefined } | undefined
}

/** Every row of an account with a nonce of its own. */
export const claimsOf = ({ batches, refunds }: Account): ReadonlyArray<Claim> => [...batches, ...refunds].map(claimOf)

const claimOf = (transfer: Transfer): Claim => {
  const { nonce, status, window, paymentTx, paymentBlock = 0n, paidAmount } = transfer
  return {
    name: isBatch(transfer)
      ? `batch ${transfer.number} of task ${shortId(transfer.taskId)}`
      : `refund ${shortId(transfer.id)}`,
    nonce,
    status,
    isLive: isLive(transfer),
    signed: window && { to: window.payTo, amount: window.amount },
    paid: paymentTx && { tx: paymentTx, block: paymentBlock, amount: paidAmount }
  }
}

/** Every transfer out of the wallet is explained by a row, and every row that says paid by a transfer. */
export const auditPayments = (account: Account, view: ChainView): AuditFinding => {
  const wallet = account.wallet.agentAddress
  const spending = view.spending.get(wallet) ?? []
  const claims = claimsOf(account)
  const byNonce = new Map(claims.map((claim) => [claim.nonce, claim]))
  const seen = spending.map((spent) => ({ spent, claim: spent.nonce && byNonce.get(spent.nonce) }))
  const ours = seen.filter(({ claim, spent }) => claim !== undefined || isAnsweredFor(account, view, spent.block))
  const differences = [
    ...ours.flatMap(({ claim, spent }) => (claim === undefined ? stray(spent) : disagreement(claim, spent))),
    ...claims.flatMap((claim) => missingPayments(claim, spending, view))
  ]
  return {
    totals: {
      payments: seen.filter(({ claim, spent }) => claim?.paid?.tx === spent.tx).length,
      unproven: claims.filter((claim) => claim.isLive).length,
      beforeBooks: seen.length - ours.length,
      newer: claims.filter(({ paid }) => paid !== undefined && !isInReach(paid, view)).length,
      held: claims.filter(({ status }) => status === "held").length
    },
    differences: differences.map((what): Difference => ({ wallet, what }))
  }
}

const spendingText = ({ amount, to, tx, block }: Spending): string =>
  `${format(amount)} USDC went to ${to} in ${tx} (block ${block})`

const stray = (spent: Spending): ReadonlyArray<string> => [
  `${spendingText(spent)}, and no order or refund explains it: another party has the key of this wallet`
]

const disagreement = ({ name, status, isLive, signed, paid }: Claim, spent: Spending): ReadonlyArray<string> => {
  if (paid !== undefined) {
    if (paid.tx === spent.tx && (paid.amount ?? spent.amount) === spent.amount) return []
    return [`${spendingText(spent)} with the nonce of ${name}, which the ledger says was paid by ${paid.tx}`]
  }
  if (!isLive) {
    const then = "the ledger is older than the chain: start the executor, which takes it over"
    return [`${spendingText(spent)} with the nonce of ${name}, which is ${status} in the ledger: ${then}`]
  }
  // What was sent and is not proven yet is the executor's next look.
  if (signed?.amount === spent.amount && signed.to === spent.to) return []
  return [`${spendingText(spent)} with the nonce of ${name}, and something else was signed: another party has the key`]
}

/** What the ledger says was paid, and the chain does not show. Another transfer of the same transaction does not stand for it. */
const missingPayments = (
  { name, nonce, paid }: Claim,
  spending: ReadonlyArray<Spending>,
  view: ChainView
): ReadonlyArray<string> => {
  if (paid === undefined || !isInReach(paid, view)) return []
  if (spending.some((spent) => spent.nonce === nonce && spent.tx === paid.tx)) return []
  return [`${name} was paid in ${paid.tx} (block ${paid.block}) says the ledger, and the chain shows no such transfer`]
}

const isInReach = ({ block }: { readonly block: bigint }, { fromBlock, block: last }: ChainView): boolean =>
  block >= fromBlock && block <= last.number
