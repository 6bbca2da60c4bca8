import type { StatusJson } from "../../operator/reports/status.ts"
import { el } from "../dom.ts"
import { count } from "../format.ts"
import { type AttentionJson, attentionKey, grouped, attentionTotal } from "../state.ts"
import { ago, command, orderLink, shortened } from "./components.ts"

const NAMES: Readonly<Record<string, string>> = {
  held: "Held",
  undelivered: "Paid, not delivered",
  unknown: "Outcome unknown",
  stopped: "Wallet stopped",
  limit: "Limit reached",
  incident: "Environment"
}

const kindName = (kind: string): string => NAMES[kind] ?? kind

const about = ({ taskId, wallet, batch }: AttentionJson): ReadonlyArray<HTMLElement | string> => [
  ...(taskId === null ? [] : ["order ", orderLink(taskId)]),
  ...(batch === null ? [] : [` batch ${batch}`]),
  ...(taskId === null && wallet !== null ? ["wallet ", shortened(wallet, "the wallet")] : [])
]

const item = (one: AttentionJson, nowMs: number): HTMLElement =>
  el(
    "li",
    { class: "alert", "data-kind": one.kind, "data-key": attentionKey(one) },
    el(
      "p",
      { class: "alert-head" },
      el("strong", { class: "alert-kind" }, kindName(one.kind)),
      el("span", {}, about(one)),
      one.since === null ? null : el("span", { class: "muted" }, ago(one.since, nowMs))
    ),
    el("p", { class: "alert-text" }, one.text),
    command(one.command)
  )

/** Orders of a group that are shown by id. */
const NAMED_MAX = 5

/** Many items of one cause as one: how many, the cause, the first of them, and the command that lists all. */
const group = (items: ReadonlyArray<AttentionJson>, nowMs: number): HTMLElement | null => {
  const [first] = items
  if (first === undefined) return null
  if (items.length === 1) return item(first, nowMs)
  const named = items.flatMap(({ taskId }) => (taskId === null ? [] : [taskId])).slice(0, NAMED_MAX)
  return el(
    "li",
    { class: "alert", "data-kind": first.kind, "data-key": `group ${attentionKey(first)}` },
    el(
      "p",
      { class: "alert-head" },
      el("strong", { class: "alert-kind" }, kindName(first.kind)),
      el("span", {}, `${count(first.alike)} for the same cause`),
      first.since === null ? null : el("span", { class: "muted" }, "the first ", ago(first.since, nowMs))
    ),
    el("p", { class: "alert-text" }, first.text),
    named.length === 0
      ? null
      : el(
          "p",
          {},
          named.flatMap((taskId) => [orderLink(taskId), " "]),
          first.alike > named.length ? `and ${count(first.alike - named.length)} more` : null
        ),
    command(first.kind === "held" ? "tasks list --held" : first.command)
  )
}

/** Everything that needs a person, or a line that says that nothing does. */
export const attention = (overview: StatusJson, nowMs: number): ReadonlyArray<HTMLElement> => {
  const { attention: items } = overview
  if (items.length === 0) return [el("p", { class: "calm" }, "Nothing right now.")]
  const groups = grouped(items)
  const shown = groups.reduce((sum, [first, ...more]) => sum + (more.length > 0 ? (first?.alike ?? 1) : 1), 0)
  const rest = attentionTotal(overview) - shown
  return [
    el(
      "ul",
      { class: "alerts" },
      groups.map((one) => group(one, nowMs))
    ),
    ...(rest > 0 ? [el("p", { class: "muted" }, `and ${count(rest)} more`)] : [])
  ]
}

/** What is announced when a new item needs a person. */
export const attentionNews = (items: ReadonlyArray<AttentionJson>): string =>
  items
    .slice(0, 3)
    .map(
      ({ kind, taskId, text }) => `${kindName(kind)}${taskId === null ? "" : `, order ${taskId.slice(0, 8)}`}: ${text}`
    )
    .join(". ")
