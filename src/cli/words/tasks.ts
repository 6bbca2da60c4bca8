import type { TaskList, TaskRecord, TaskReport } from "../../operator/reports/tasks.ts"
import { causeOf, shortId } from "../../domain/Task.ts"
import { duration } from "../../domain/time.ts"
import { format } from "../../domain/Usdc.ts"
import type { Look, Paint } from "./paint.ts"
import { type Cell, type Column, table } from "./table.ts"
import { ageOf, hang, shortAddress, usdcOf, utc } from "./text.ts"

const COLUMNS_OF_LIST: ReadonlyArray<Column> = [
  { title: "task" },
  { title: "status" },
  { title: "minted", right: true },
  { title: "USDC", right: true },
  { title: "age", right: true },
  { title: "user" },
  { title: "note" }
]

/** Orders, a line each. */
export const taskTable = (tasks: ReadonlyArray<TaskRecord>, look: Look): ReadonlyArray<string> =>
  table({ columns: COLUMNS_OF_LIST, rows: tasks.map((task) => rowOf(task, look)) }, look.paint)

/** `ai-mint tasks list`. */
export const taskListWords = ({ tasks }: TaskList, look: Look): ReadonlyArray<string> =>
  tasks.length === 0 ? ["There is no such order."] : taskTable(tasks, look)

const rowOf = (task: TaskRecord, { nowMs }: Look): ReadonlyArray<Cell> => [
  shortId(task.id),
  { text: task.status, as: paintOf(task) },
  `${task.mintsCompleted}/${task.quantity}`,
  format(task.totalCost),
  ageOf(task.createdAt, nowMs),
  shortAddress(task.userAddress),
  noteOf(task, nowMs)
]

const paintOf = ({ status, held }: TaskRecord): keyof Paint => {
  if (held !== undefined || status === "failed") return "bad"
  if (status === "completed") return "good"
  return status === "cancelled" ? "faint" : "strong"
}

const noteOf = (task: TaskRecord, nowMs: number): string => {
  const { held, errorMessage, status, deadline } = task
  if (held !== undefined) return `held: ${causeOf(held.reason)}`
  if (errorMessage !== undefined) return errorMessage
  if (status !== "pending_payment" || deadline === undefined) return ""
  const left = deadline > nowMs ? `${duration(deadline - nowMs)} left to pay` : "its time to pay is over"
  return isPaidInPart(task) ? `${receivedOf(task)}, ${left}` : left
}

const isPaidInPart = ({ received = 0n }: TaskRecord): boolean => received > 0n

/** `3.50 of 7.00 USDC received`. */
const receivedOf = ({ received = 0n, totalCost }: TaskRecord): string =>
  `${format(received)} of ${usdcOf(totalCost)} received`

/** `ai-mint tasks show`. */
export const taskWords = (task: TaskReport, look: Look): ReadonlyArray<string> => {
  const { paint, nowMs } = look
  const moments = [
    ["Created", task.createdAt],
    ["Paid", task.fundedAt],
    ["Minting since", task.startedAt],
    ["Ended", task.completedAt]
  ] as const
  return [
    `Order ${paint.strong(task.id)} is ${paint[paintOf(task)](task.status)}`,
    ...(task.held === undefined
      ? []
      : hang("⚠️ ", `Held for a person since ${utc(task.held.since)}: ${causeOf(task.held.reason)}`)),
    ...field("Minted", `${task.mintsCompleted} of ${task.quantity} at ${usdcOf(task.pricePerMint)}`),
    ...field("Cost", usdcOf(task.totalCost)),
    ...(isPaidInPart(task) ? field("Paid in part", receivedOf(task)) : []),
    ...field("User", task.userAddress),
    ...field("Pays to", task.agentAddress ?? `unknown: there is no agent wallet ${task.agentWalletId}`),
    ...field("Token", task.tokenAddress),
    ...(task.fundingTx === undefined ? [] : field("Paid by", task.fundingTx)),
    ...moments.flatMap(([name, ms]) => (ms === undefined ? [] : field(name, `${utc(ms)} (${ageOf(ms, nowMs)} ago)`))),
    ...(task.status === "pending_payment" && task.deadline !== undefined
      ? field("To be paid by", utc(task.deadline))
      : []),
    ...field("Next", nextActionWords(task)),
    ...(task.retryCount === 0 ? [] : field("Refusals", `${task.retryCount} since the last progress`)),
    ...(task.errorMessage === undefined || task.errorMessage === task.held?.reason
      ? []
      : field("Message", task.errorMessage))
  ]
}

const field = (name: string, value: string): ReadonlyArray<string> => hang(`   ${`${name}:`.padEnd(15)}`, value)

/** `pay 5.00 USDC`: what the program that placed the order does next. */
const nextActionWords = ({ nextAction, paymentState, amountDue, checkAgainAfterSeconds }: TaskReport): string => {
  const action = nextAction.replaceAll("_", " ")
  const due = amountDue === undefined || amountDue === 0n ? "" : ` ${usdcOf(amountDue)}`
  const again = checkAgainAfterSeconds === undefined ? "" : `, look again after ${checkAgainAfterSeconds} s`
  return `${action}${due} (${paymentState.replaceAll("_", " ")})${again}`
}
