import type { Attention, StatusReport } from "../../operator/reports/status.ts"
import { shortId } from "../../domain/Task.ts"
import { duration } from "../../domain/time.ts"
import { format } from "../../domain/Usdc.ts"
import { type Look, type Paint, section } from "./paint.ts"
import { limitTable } from "./limits.ts"
import { pauseTable } from "./pauses.ts"
import { readinessWords } from "./readiness.ts"
import { type Cell, table } from "./table.ts"
import { taskTable } from "./tasks.ts"
import { ageOf, hang, usdcOf, utc } from "./text.ts"

/** A screen, and not a list: the rest is in `tasks list`. */
const OPEN_SHOWN = 10
const ATTENTION_SHOWN = 10

/** `ai-mint status`. */
export const statusWords = (overview: StatusReport, look: Look): ReadonlyArray<string> => {
  const { startedAt } = overview.version
  return [
    `${heading(overview, look.paint)}, up for ${duration(overview.now - startedAt)}`,
    ...readinessWords(overview.readiness, look),
    ...figuresWords(overview, look)
  ]
}

/** `ai-mint status --direct`: of no executor, so that nothing is said of how long it is up and when it swept. */
export const directStatusWords = (overview: StatusReport, look: Look): ReadonlyArray<string> => [
  `${heading(overview, look.paint)}, without an executor`,
  ...readinessWords(overview.readiness, look, { sweeps: false }),
  ...figuresWords(overview, look)
]

const figuresWords = (overview: StatusReport, look: Look): ReadonlyArray<string> => [
  "",
  ...orderTable(overview, look.paint),
  "",
  ...moneyLines(overview),
  ...attentionLines(overview, look),
  ...section(look.paint, `Paused (${overview.pauses.length})`, pauseTable(overview.pauses, look)),
  ...section(look.paint, `Limits (${overview.limits.length})`, limitTable(overview.limits, look)),
  ...openLines(overview, look)
]

const heading = ({ version }: StatusReport, paint: Paint): string => {
  const { name, network, chainId } = version
  return `${paint.strong(`${name} ${version.version}`)} on ${paint.strong(network)} (chain ${chainId})`
}

const orderTable = ({ tasks }: StatusReport, paint: Paint): ReadonlyArray<string> => {
  if (tasks.length === 0) return ["There is no order yet."]
  const rows = tasks.map(({ status, held, count, cost }): ReadonlyArray<Cell> => [
    held ? { text: `${status}, held`, as: "bad" } : status,
    String(count),
    format(cost)
  ])
  const columns = [{ title: "orders" }, { title: "count", right: true }, { title: "USDC", right: true }]
  return table({ columns, rows }, paint)
}

const moneyLines = ({ money, moneySince, funnel, now }: StatusReport): ReadonlyArray<string> => {
  const { deposited, paid, refunded, credit } = money
  const { created, funded, completed, failed, cancelled } = funnel
  const ends = `${completed} completed, ${failed} failed, ${cancelled} cancelled`
  return [
    ...hang(
      "Money: ",
      `${usdcOf(deposited)} came in, ${usdcOf(paid)} paid for mints, ${usdcOf(refunded)} refunded, ${usdcOf(credit)} credit of wallets`
    ),
    ...(moneySince === undefined
      ? []
      : hang("       ", `since ${utc(moneySince)}: what v1.1 paid before is not in these sums`)),
    ...hang(`Last ${duration(now - funnel.since)}: `, `${created} ordered, ${funded} paid, ${ends}`)
  ]
}

const attentionLines = ({ attention, attentionCount }: StatusReport, look: Look): ReadonlyArray<string> => {
  const shown = attention.slice(0, ATTENTION_SHOWN)
  const isCut = attentionCount > shown.length
  const more = attentionCount - shown.length
  return section(look.paint, `Needs a look (${attentionCount})`, [
    ...shown.flatMap((item) => attentionItem(item, look, isCut)),
    ...(more > 0 ? [`   and ${more} more: ai-mint tasks list --held`] : [])
  ])
}

/** How many there are of its cause is said where not all of them are shown. */
const attentionItem = (item: Attention, { nowMs }: Look, isCut: boolean) => {
  const { taskId, wallet, batch, since, text, alike, command } = item
  const what = taskId !== undefined ? `Task ${shortId(taskId)}` : wallet !== undefined ? `Wallet ${wallet}` : "All"
  const which = batch === undefined ? "" : `, batch ${batch}`
  const age = since === undefined ? "" : ` (${ageOf(since, nowMs)})`
  const others = isCut && alike > 1 ? ` (${alike} like it in all)` : ""
  return [...hang("⚠️ ", `${what}${which}${age}: ${text}${others}`), ...hang("   → ", `ai-mint ${command}`)]
}

const openLines = ({ open, openCount }: StatusReport, look: Look): ReadonlyArray<string> => {
  const shown = open.slice(0, OPEN_SHOWN)
  const more = openCount - shown.length
  const rest = more > 0 ? [`and ${more} more: ai-mint tasks list --status pending_payment,funded,processing`] : []
  return section(
    look.paint,
    `Open orders (${openCount})`,
    shown.length === 0 ? [] : [...taskTable(shown, look), ...rest]
  )
}
