import { decisionSentence } from "../../operator/events.ts"
import type { WalletOpened, WalletReport } from "../../operator/reports/wallets.ts"
import { shortId } from "../../domain/Task.ts"
import { format } from "../../domain/Usdc.ts"
import { type Look, type Paint, section } from "./paint.ts"
import { table } from "./table.ts"
import { taskTable } from "./tasks.ts"
import { hang, usdcOf, utc } from "./text.ts"

/** `ai-mint wallets show`: what the chain shows beside what the ledger says. */
export const walletWords = (wallet: WalletReport, look: Look): ReadonlyArray<string> => {
  const { paint } = look
  const { stopped, tasks } = wallet
  return [
    `Agent wallet ${paint.strong(wallet.agentAddress)}`,
    `   Of the user: ${wallet.userAddress}`,
    `   Id:          ${wallet.id}`,
    ...(stopped === undefined ? [] : stopLines(wallet, stopped)),
    "",
    ...moneyTable(wallet, paint),
    ...section(paint, "Open orders", tasks.length === 0 ? [] : taskTable(tasks, look)),
    ...section(paint, "Deposits", depositLines(wallet, paint)),
    ...section(paint, "Refunds", refundLines(wallet, paint)),
    ...section(paint, "Decisions", decisionLines(wallet))
  ]
}

const stopLines = ({ agentAddress }: WalletReport, { reason, since }: NonNullable<WalletReport["stopped"]>) => [
  ...hang("🛑 ", `Stopped${since === undefined ? "" : ` since ${utc(since)}`}: ${reason}`),
  ...hang("   → ", `ai-mint resolve --wallet ${agentAddress} --why "…"`)
]

const moneyTable = ({ chain, ledger, credit }: WalletReport, paint: Paint): ReadonlyArray<string> => {
  const { expected, countedTo, reserved, maybeSpent } = ledger
  const rows = [
    ["on chain", chain === undefined ? "?" : format(chain.balance), chainNote(chain)],
    ["the ledger expects", expected === undefined ? "-" : format(expected), countedNote(countedTo)],
    ["reserved", format(reserved), maybeSpent === 0n ? "" : `${usdcOf(maybeSpent)} of it signed and not yet proven`],
    ["free credit", credit === undefined ? "?" : format(credit), ""]
  ]
  const columns = [{ title: "money" }, { title: "USDC", right: true }, { title: "" }]
  return table({ columns, rows, wrapLast: true }, paint)
}

const chainNote = (chain: WalletReport["chain"]): string =>
  chain === undefined ? "the chain does not answer" : `in block ${chain.block}, ${utc(chain.at)}`

const countedNote = (countedTo: bigint | undefined): string =>
  countedTo === undefined ? "its books are not opened yet" : `counted up to block ${countedTo}`

/** With the whole hash: it is looked up elsewhere. */
const depositLines = ({ deposits }: WalletReport, paint: Paint): ReadonlyArray<string> =>
  deposits.flatMap(({ tx, from, amount, left, block, at }) => {
    const rest = left === 0n ? "" : `, ${usdcOf(left)} of it not used yet`
    return [
      ...hang("   ", `${utc(at)}: ${usdcOf(amount)} from ${from}, in block ${block}${rest}`),
      `      ${paint.faint(tx)}`
    ]
  })

const refundLines = ({ refunds }: WalletReport, paint: Paint): ReadonlyArray<string> =>
  refunds.flatMap(({ id, status, amount, to, tx, reason, createdAt }) => [
    ...hang("   ", `${utc(createdAt)}: ${shortId(id)}, ${status}: ${usdcOf(amount)} to ${to}`),
    ...(reason === undefined ? [] : hang("      ", reason)),
    ...(tx === undefined ? [] : [`      ${paint.faint(tx)}`])
  ])

const decisionLines = ({ decisions }: WalletReport): ReadonlyArray<string> =>
  decisions.flatMap(({ at, ...decided }) => hang("   ", `${utc(at)}: ${decisionSentence(decided)}`))

export const walletOpenedWords = ({ userAddress, agentAddress, isNew }: WalletOpened): ReadonlyArray<string> => [
  isNew ? `✅ ${userAddress} has an agent wallet now` : `✅ ${userAddress} has an agent wallet`,
  `   To be paid into: ${agentAddress}`
]
