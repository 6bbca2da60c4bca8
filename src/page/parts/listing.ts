import type { TaskJson } from "../../operator/reports/tasks.ts"
import { type Child, el } from "../dom.ts"
import { clock, count, dayOfYear, duration, shortHash, stateName } from "../format.ts"
import { hashOfListing, isTransaction, type Listing, statusesOf, withFields } from "../listing.ts"
import type { State } from "../state.ts"
import { table } from "./components.ts"
import { HEADS, orderRow, timing } from "./orders.ts"

/** What the list is of. */
export const listingTitle = ({ find }: Listing): string => {
  if (find === undefined) return "Closed orders"
  return `Orders of ${isTransaction(find) ? "transaction" : "account"} ${shortHash(find)}`
}

const pill = (listing: Listing, status: string | undefined): HTMLElement =>
  el(
    "button",
    {
      type: "button",
      class: "filter",
      "data-status": status ?? "",
      "data-key": status ?? "all",
      "aria-pressed": String(listing.status === status)
    },
    status === undefined ? "all" : stateName(status)
  )

/** Buttons for the statuses, and one that leaves a search. */
export const listingFilters = (listing: Listing): ReadonlyArray<HTMLElement> => [
  pill(listing, undefined),
  ...statusesOf(listing).map((status) => pill(listing, status)),
  ...(listing.find === undefined
    ? []
    : [el("a", { class: "filter", href: "#closed=", "data-key": "leave" }, "Back to closed orders")])
]

/** When it was closed, and how long that took. */
const closing = (task: TaskJson, nowMs: number): Child => {
  if (task.completedAt === null) return timing(task, nowMs)
  const atMs = Date.parse(task.completedAt)
  const took = task.createdAt === null ? "" : ` after ${duration(atMs - Date.parse(task.createdAt))}`
  return [
    el("time", { datetime: task.completedAt }, `${dayOfYear(atMs)}, ${clock(atMs)}`),
    el("span", { class: "muted" }, took)
  ]
}

/** A cancelled order was not paid for in time; what a failed one failed for is worth a line. */
const reason = ({ id, status, errorMessage }: TaskJson): ReadonlyArray<HTMLElement> =>
  status !== "failed" || errorMessage === null
    ? []
    : [
        el(
          "tr",
          { class: "reason", role: "row", "data-key": `${id} reason` },
          el("td", { role: "cell", colspan: HEADS.length }, errorMessage)
        )
      ]

const pages = (listing: Listing, next: string | null): HTMLElement | null =>
  listing.after === undefined && next === null
    ? null
    : el(
        "nav",
        { class: "pages", "aria-label": "Pages of this list", "data-key": "pages" },
        listing.after === undefined
          ? null
          : el("a", { class: "filter", href: hashOfListing(withFields(listing, {})) || "#closed=" }, "Newest"),
        next === null
          ? el("span", { class: "muted" }, "These are the oldest.")
          : el("a", { class: "filter", href: hashOfListing({ ...listing, after: next }) }, "Older")
      )

const isNarrowed = ({ status, user, token, from, to }: Listing): boolean =>
  [status, user, token, from, to].some((field) => field !== undefined)

/** What is said in place of a list without orders. */
const nothing = (listing: Listing): string => {
  if (isNarrowed(listing)) return "No order matches."
  if (listing.find === undefined) return "No order is closed yet."
  return isTransaction(listing.find) ? "No order belongs to this transaction." : "This account has no orders."
}

/** The orders of the page that was asked for; while they come, those of the one before. */
export const listing = ({ listing: asked, listed }: State, nowMs: number): ReadonlyArray<HTMLElement | null> => {
  if (listed === undefined) return [el("p", { class: "calm", "data-key": "asking" }, "Asking the executor…")]
  if (listed.problem !== undefined) return [el("p", { class: "calm", "data-key": "problem" }, listed.problem)]
  const { tasks, next } = listed
  return [
    tasks.length === 0
      ? el("p", { class: "calm", "data-key": "none" }, nothing(asked))
      : table({
          name: listingTitle(asked),
          heads: HEADS,
          rows: tasks.flatMap((task) => [orderRow(task, closing(task, nowMs)), ...reason(task)])
        }),
    pages(asked, next)
  ]
}

/** What is read out when a list has come that the reader asked for. */
export const listingNews = (asked: Listing, { tasks, next, problem }: NonNullable<State["listed"]>): string => {
  if (problem !== undefined) return problem
  if (tasks.length === 0) return nothing(asked)
  const many = next === null ? "" : "the newest "
  return `${listingTitle(asked)}: ${asked.after === undefined ? many : ""}${count(tasks.length)}`
}
