import { counted } from "../../domain/text.ts"
import { endOf, shortId } from "../../domain/Task.ts"
import { format } from "../../domain/Usdc.ts"
import type {
  Adopted,
  Cancelled,
  Created,
  Quoted,
  Reconciled,
  RefundReport,
  Reopened,
  Resolved,
  Retried,
  Withdrawn
} from "../../operator/reports/decisions.ts"
import { usdcOf, utc } from "./text.ts"

export const createdWords = ({
  taskId,
  isNew,
  quantity,
  pricePerMint,
  totalCost,
  agentAddress
}: Created): ReadonlyArray<string> => [
  isNew ? `✅ Task ${taskId} is ordered` : `✅ Task ${taskId} was ordered before: this is the same order`,
  `   ${counted(quantity, "mint")} at ${usdcOf(pricePerMint)}, ${usdcOf(totalCost)} in all`,
  `   To be paid to ${agentAddress}`
]

export const quotedWords = ({
  quoteId,
  quantity,
  pricePerMint,
  totalCost,
  payTo,
  supplyLeft,
  expiresAt
}: Quoted): ReadonlyArray<string> => [
  `💬 ${counted(quantity, "mint")} at ${usdcOf(pricePerMint)}, ${usdcOf(totalCost)} in all${supplyLeft === undefined ? "" : `; ${supplyLeft} left`}`,
  `   To be paid to ${payTo} once it is ordered`,
  `   Until ${utc(expiresAt)}: ai-mint tasks create … --quote ${quoteId}`
]

export const cancelledWords = ({ taskId, message, credit }: Cancelled): ReadonlyArray<string> => [
  `✅ Task ${taskId} is ${endOf("cancelled", message)}`,
  ...(credit === undefined || credit === 0n
    ? []
    : [`   Its wallet keeps ${usdcOf(credit)} as credit: ai-mint refund sends it back`])
]

export const retriedWords = ({ taskId, did, mints, cost }: Retried): ReadonlyArray<string> => [
  did === "funded" ? `✅ Task ${taskId} is funded again` : `✅ Task ${taskId} is no longer held`,
  `   ${counted(mints, "mint is", "mints are")} left to be made, for at most ${usdcOf(cost)}`
]

export const adoptedWords = ({ taskId, delivered, mints, cost, paid }: Adopted): ReadonlyArray<string> => [
  `✅ Task ${taskId} is taken over from v1.1, with ${counted(delivered, "mint")} delivered`,
  `   The chain shows ${usdcOf(paid)} paid to the token since the order began`,
  `   ${counted(mints, "mint is", "mints are")} left to be made, for at most ${usdcOf(cost)}`
]

export const resolvedWords = (report: Resolved): ReadonlyArray<string> => {
  const { taskId, batch, as, minted, onChain, quantity, replacement, setAside, failed } = report
  if (as === "again") {
    return [
      `✅ Batch ${batch} of task ${taskId} is paid for as it was ordered`,
      ...(setAside === 0
        ? []
        : [`   ${counted(setAside, "mint on chain counts", "mints on chain count")} for no order from now on`])
    ]
  }
  const what =
    batch === undefined ? `Task ${taskId} is given up` : `Batch ${batch} of task ${taskId} is resolved as ${as}`
  return [
    `✅ ${what}: ${minted} of ${counted(quantity, "mint")}${onChain === minted ? "" : `, ${onChain} of them on chain`}`,
    ...(replacement === undefined ? [] : [`   The missing ones are bought again as batch ${replacement}`]),
    ...(failed ? ["   The task has failed. What it did not spend is the wallet's credit"] : [])
  ]
}

export const reopenedWords = ({ wallet, stopped, balance, block }: Reopened): ReadonlyArray<string> => [
  `✅ Wallet ${wallet} goes on. It was stopped: ${stopped}`,
  `   Its books begin anew with ${usdcOf(balance)} in block ${block}`
]

export const refundedWords = (report: RefundReport): ReadonlyArray<string> => {
  const { against, warnings, amount, to } = report
  return [
    `↩️ Refund of ${usdcOf(amount)} to ${to}`,
    `   Agent wallet:     ${report.wallet}`,
    `   On chain:         ${usdcOf(report.balance)}`,
    `   Reserved:         ${usdcOf(report.reserved)}`,
    `   Free:             ${usdcOf(report.free)}`,
    `   Unspent deposits: ${usdcOf(report.unspentDeposits)}`,
    `   Gas account:      ${report.gasAccount === undefined ? "none" : `${report.gasAccount}, ${etherOf(report.gasBalance)} ETH`}`,
    ...against.map((line) => `❌ ${line}`),
    ...warnings.map((line) => `⚠️ ${line}`),
    ending(report)
  ]
}

export const withdrawnWords = ({ refundId, amount, wallet, to }: Withdrawn): ReadonlyArray<string> => [
  `✅ Refund ${refundId} is withdrawn`,
  `   ${usdcOf(amount)} are credit of ${wallet} again, and do not go to ${to}`
]

const ending = ({ refundId, against, wallet, to, amount }: RefundReport): string => {
  if (refundId !== undefined) return `✅ Asked for as refund ${shortId(refundId)}: the executor sends it`
  if (against.length > 0) return "Nothing was done, and with --confirm it would be refused."
  return `Nothing was done yet. This does it: ai-mint refund ${wallet} --to ${to} --amount ${format(amount)} --confirm --why "…"`
}

/** To six decimals, cut. */
const etherOf = (wei: bigint): string => format(wei / 10n ** 12n)

/** What was not compared, and may differ without a difference being reported. */
const exempt = ({ beforeBooks, earlierDeposits, newer, unseenMints }: Reconciled["totals"]): ReadonlyArray<string> => [
  ...(beforeBooks === 0
    ? []
    : [`${counted(beforeBooks, "transfer")} out of wallets from before their books were opened`]),
  ...(earlierDeposits === 0
    ? []
    : [`${counted(earlierDeposits, "deposit")} from before the books were opened, not recorded`]),
  ...(newer === 0
    ? []
    : [`${counted(newer, "deposit or payment that is", "deposits and payments that are")} newer than this block`]),
  ...(unseenMints === 0
    ? []
    : [`${counted(unseenMints, "mint that is", "mints that are")} known by word alone, or too old to look for`])
]

export const reconciledWords = ({ block, totals, differences }: Reconciled): ReadonlyArray<string> => [
  block === undefined ? "🔎 There is no wallet yet" : `🔎 Ledger and chain compared up to block ${block}`,
  `   Wallets:  ${totals.wallets}`,
  `   Payments: ${totals.payments} agree, ${totals.unproven} not proven yet, ${totals.held} wait for a decision`,
  `   Deposits: ${totals.deposits} agree, ${totals.uncounted} not counted yet`,
  `   Mints:    ${totals.mints} agree`,
  ...exempt(totals).map((line) => `   Not compared: ${line}`),
  ...differences.map(({ wallet, what }) => `❌ ${wallet}: ${what}`),
  differences.length === 0 ? "✅ No difference" : counted(differences.length, "difference")
]
