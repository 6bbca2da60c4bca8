import type { StatusJson } from "../../operator/reports/status.ts"
import type { TaskJson } from "../../operator/reports/tasks.ts"
import { type Child, el } from "../dom.ts"
import { count, duration, stateName, usdc } from "../format.ts"
import { type Filter, filtered, FILTERS, openCount, openTotal } from "../state.ts"
import { ago, heldChip, orderLink, shortened, stateChip, table } from "./components.ts"

/** `6 of 10`, as a bar and in words. */
export const mintProgress = ({ mintsCompleted, mintsFailed, quantity }: TaskJson): HTMLElement =>
  el(
    "span",
    { class: "meter", "data-full": mintsCompleted === quantity },
    el("progress", { max: quantity, value: mintsCompleted, "aria-label": `${mintsCompleted} of ${quantity} minted` }),
    el("span", { class: "meter-text" }, `${count(mintsCompleted)}/${count(quantity)}`),
    mintsFailed === 0 ? null : el("span", { class: "bad" }, `${mintsFailed} failed`)
  )

/** How much of the time to pay is gone. */
const timeToPay = (createdMs: number, deadlineMs: number, nowMs: number): HTMLElement => {
  const left = deadlineMs - nowMs
  const text = left > 0 ? `${duration(left)} left` : `${duration(-left)} over`
  return el(
    "span",
    { class: "meter time", "data-urgent": left < (deadlineMs - createdMs) / 5 },
    el("progress", {
      max: Math.max(1, deadlineMs - createdMs),
      value: Math.min(Math.max(0, nowMs - createdMs), Math.max(1, deadlineMs - createdMs)),
      "aria-label": `time to pay: ${text}`
    }),
    el("span", { class: "meter-text" }, text)
  )
}

const since = (task: TaskJson, nowMs: number): Child => {
  const at = task.startedAt ?? task.fundedAt ?? task.createdAt
  if (at === null) return ""
  const text = task.startedAt === null ? ["paid ", ago(at, nowMs)] : `minting for ${duration(nowMs - Date.parse(at))}`
  return el("span", { class: "muted" }, text)
}

/** What there is to say about the time of an open order. */
export const timing = (task: TaskJson, nowMs: number): Child => {
  if (task.held !== null)
    return el("span", { class: "muted" }, `held for ${duration(nowMs - Date.parse(task.held.since))}`)
  if (task.status === "pending_payment" && task.createdAt !== null && task.deadline !== null) {
    return timeToPay(Date.parse(task.createdAt), Date.parse(task.deadline), nowMs)
  }
  const retries = task.retryCount === 0 ? null : el("span", { class: "bad" }, ` ${task.retryCount} refused`)
  return [since(task, nowMs), retries]
}

/** `3.50 of `, where a part of an order that waits is there. */
export const received = ({ received: part }: TaskJson): string | null =>
  part === null || part === "0" ? null : `${usdc(part)} of `

export const HEADS = ["Order", "State", "User", "Mints", "Time", "USDC"]

/** An order in a list of them, with what is to say about its time. */
export const orderRow = (task: TaskJson, time: Child): HTMLElement => {
  const cells: ReadonlyArray<Child> = [
    orderLink(task.id),
    [stateChip(task.status), task.held === null ? null : heldChip()],
    shortened(task.userAddress, "the user's address"),
    mintProgress(task),
    time,
    el("span", { class: "amount" }, received(task), usdc(task.totalCost))
  ]
  return el(
    "tr",
    { role: "row", "data-key": task.id },
    cells.map((cell, index) => el("td", { role: "cell", "data-head": HEADS[index] ?? "" }, cell))
  )
}

const filterName = (filter: Filter): string => (filter === "all" ? "all" : stateName(filter))

export const filters = (overview: StatusJson, chosen: Filter): ReadonlyArray<HTMLElement> =>
  FILTERS.map((filter) =>
    el(
      "button",
      {
        type: "button",
        class: "filter",
        "data-filter": filter,
        "data-key": filter,
        "aria-pressed": String(filter === chosen)
      },
      filterName(filter),
      " ",
      el("span", { class: "muted" }, count(openCount(overview, filter)))
    )
  )

/** The open orders of the chosen state, newest first. */
export const orders = (overview: StatusJson, filter: Filter, nowMs: number): ReadonlyArray<HTMLElement> => {
  const shown = filtered(overview.open, filter)
  const [listed, total] = [overview.open.length, openTotal(overview)]
  return [
    shown.length > 0
      ? table({ name: "Open orders", heads: HEADS, rows: shown.map((task) => orderRow(task, timing(task, nowMs))) })
      : el("p", { class: "calm", "data-key": "none" }, filter === "all" ? "No order is open." : "None of these."),
    ...(listed < total
      ? [el("p", { class: "muted", "data-key": "more" }, `The newest ${count(listed)} of ${count(total)}.`)]
      : [])
  ]
}
