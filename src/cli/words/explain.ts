import type { Explanation, Step } from "../../operator/reports/tasks.ts"
import { format } from "../../domain/Usdc.ts"
import type { Look, Paint } from "./paint.ts"
import { type Cell, type Column, table } from "./table.ts"
import { clock, hang, usdcOf, utc } from "./text.ts"

/** `ai-mint explain`: the answer to "I paid, where are my tokens?". */
export const explanationWords = (explanation: Explanation, { paint }: Look): ReadonlyArray<string> => {
  const { summary, steps, batches, next, task } = explanation
  return [
    ...hang("", summary).map(paint.strong),
    `   Task:   ${task.id}`,
    ...(task.agentAddress === undefined ? [] : [`   Wallet: ${task.agentAddress}`]),
    "",
    paint.strong("What happened"),
    ...timeline(steps, paint),
    ...(batches.length === 0 ? [] : ["", paint.strong("Batches"), ...batchTable(batches, paint)]),
    "",
    ...moneyLines(explanation, paint),
    "",
    paint.strong("What happens next"),
    ...hang("   ", next.text),
    ...(next.at === undefined ? [] : [`   At ${utc(next.at)}`]),
    ...next.commands.flatMap((command) => hang("   → ", `ai-mint ${command}`))
  ]
}

/** A day is said where it begins, a moment in front of each step. */
const timeline = (steps: ReadonlyArray<Step>, paint: Paint): ReadonlyArray<string> => {
  let day = ""
  return steps.flatMap((step) => {
    const [date = ""] = step.at === undefined ? [] : utc(step.at).split(" ")
    const isNew = date !== "" && date !== day
    if (isNew) day = date
    return [...(isNew ? [`   ${paint.faint(date)}`] : []), ...stepLines(step, paint)]
  })
}

const stepLines = ({ at, text, txs }: Step, paint: Paint): ReadonlyArray<string> => {
  const moment = `   ${(at === undefined ? "" : clock(at)).padEnd(14)}`
  const indent = " ".repeat(moment.length)
  return [...hang(moment, text), ...txs.map((tx) => `${indent}${paint.faint(tx)}`)]
}

const BATCH_COLUMNS: ReadonlyArray<Column> = [
  { title: "batch", right: true },
  { title: "status" },
  { title: "minted", right: true },
  { title: "at most", right: true },
  { title: "paid", right: true },
  { title: "since" },
  { title: "note" }
]

const batchTable = (batches: Explanation["batches"], paint: Paint): ReadonlyArray<string> => {
  const rows = batches.map((batch): ReadonlyArray<Cell> => [
    String(batch.number),
    { text: batch.status, as: STATUS_PAINT[batch.status] ?? "strong" },
    `${batch.minted}/${batch.quantity}`,
    format(batch.amount),
    batch.paidAmount === undefined ? "-" : format(batch.paidAmount),
    clock(batch.since),
    batch.reason ?? ""
  ])
  return table({ columns: BATCH_COLUMNS, rows, indent: 3, wrapLast: true }, paint)
}

const STATUS_PAINT: Readonly<Record<string, keyof Paint>> = {
  planned: "faint",
  delivered: "good",
  resolved: "good",
  unknown: "warn",
  held: "bad"
}

const moneyLines = (
  { money: { onChain, block, reserved, needed, received }, task }: Explanation,
  paint: Paint
): ReadonlyArray<string> => [
  paint.strong("Money of its wallet"),
  onChain === undefined
    ? "   On chain:     not known: the chain does not answer, or there is no wallet"
    : `   On chain:     ${usdcOf(onChain)}${block === undefined ? "" : `, in block ${block}`}`,
  `   Reserved:     ${usdcOf(reserved)}`,
  ...(received === undefined
    ? []
    : [`   Received:     ${format(received)} of ${usdcOf(task.totalCost)} for this order`]),
  task.status === "pending_payment" && received === undefined
    ? `   Still needed: at most ${usdcOf(needed)} for this order`
    : `   Still needed: ${usdcOf(needed)} for this order`
]
