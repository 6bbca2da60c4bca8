import type { EventJson } from "../../operator/reports/status.ts"
import { el } from "../dom.ts"
import { stateName, usdc } from "../format.ts"
import { clockTime, orderLink } from "./components.ts"

/** `batch.paid` with its amount becomes `batch 2 paid, 9.50 USDC`; a decision says what, who and why. */
const eventText = ({ kind, batch, detail }: EventJson): string => {
  const [what = "", became = ""] = kind.split(".")
  if (kind === "decision.made") {
    const by = typeof detail["by"] === "string" ? ` by ${detail["by"]}` : ""
    return `${detail["command"] ?? "decision"}${by}: "${detail["why"] ?? ""}"`
  }
  const { amount } = detail
  const name = what === "task" ? "order" : what
  const money = typeof amount === "string" && /^\d+$/.test(amount) ? `, ${usdc(amount)} USDC` : ""
  return `${batch === null ? name : `${name} ${batch}`} ${stateName(became)}${money}`
}

const item = (event: EventJson): HTMLElement =>
  el(
    "li",
    { "data-key": event.id },
    el("span", { class: "muted" }, clockTime(event.at)),
    event.taskId === null ? el("span", { class: "muted" }, "–") : orderLink(event.taskId),
    el("span", {}, eventText(event))
  )

/** The last events of the ledger, newest first. */
export const eventList = (events: ReadonlyArray<EventJson>): ReadonlyArray<HTMLElement> =>
  events.length === 0 ? [el("li", { class: "muted", "data-key": "none" }, "Events are listed here.")] : events.map(item)
