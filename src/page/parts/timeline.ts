import type { EventJson } from "../../operator/reports/status.ts"
import type { ExplanationJson } from "../../operator/reports/tasks.ts"
import { type Child, el } from "../dom.ts"
import { dayOfYear, duration } from "../format.ts"
import { clockTime, orderLink, transactions } from "./components.ts"

type TimelineStep = ExplanationJson["steps"][number]

/** Kinds that are coloured alike. What is in none of them is a plain step. */
const TONES: ReadonlyArray<readonly [string, RegExp]> = [
  ["bad", /held|refused|failed|cancelled|unknown|stopped|void|elsewhere/],
  ["person", /decision|resolved|released/],
  ["mint", /mint|delivered|completed/],
  ["money", /deposit|funded|paid|refund|pay_in/]
]

const toneOf = (kind: string): string => TONES.find(([, kinds]) => kinds.test(kind))?.[0] ?? "plain"

/** What went by since the step before: the day where it is another one, else the pause where one can feel it. */
const gap = (at: string | null, before: string | null | undefined): Child => {
  if (at === null) return null
  if (before == null) return dayOfYear(Date.parse(at))
  if (dayOfYear(Date.parse(at)) !== dayOfYear(Date.parse(before))) return dayOfYear(Date.parse(at))
  const passed = Date.parse(at) - Date.parse(before)
  return passed < 1000 ? null : `+${duration(passed)}`
}

const step = (one: TimelineStep, before: TimelineStep | undefined, explorer: string | null): HTMLElement =>
  el(
    "li",
    { class: "step", "data-tone": toneOf(one.kind) },
    el(
      "span",
      { class: "step-time" },
      one.at === null ? "—" : clockTime(one.at),
      el("span", { class: "muted" }, gap(one.at, before?.at))
    ),
    el(
      "div",
      { class: "step-text" },
      el("p", {}, one.text),
      one.txs.length === 0 ? null : transactions(one.txs, explorer)
    )
  )

/** What happened to the order, oldest first. */
export const timeline = (steps: ReadonlyArray<TimelineStep>, explorer: string | null): HTMLElement =>
  el(
    "ol",
    { class: "timeline" },
    steps.map((one, index) => step(one, steps[index - 1], explorer))
  )

const eventItem = (event: EventJson): HTMLElement =>
  el(
    "li",
    { "data-key": event.id },
    el("span", { class: "muted" }, clockTime(event.at)),
    event.taskId === null ? el("span", { class: "muted" }, "–") : orderLink(event.taskId),
    el("span", {}, event.text)
  )

/** The last events of the ledger, newest first. */
export const eventList = (events: ReadonlyArray<EventJson>): ReadonlyArray<HTMLElement> =>
  events.length === 0
    ? [el("li", { class: "muted", "data-key": "none" }, "Events are listed here.")]
    : events.map(eventItem)
