import type { EventJson } from "../../operator/reports/status.ts"
import { el } from "../dom.ts"
import { clockTime, orderLink } from "./components.ts"

const item = (event: EventJson): HTMLElement =>
  el(
    "li",
    { "data-key": event.id },
    el("span", { class: "muted" }, clockTime(event.at)),
    event.taskId === null ? el("span", { class: "muted" }, "–") : orderLink(event.taskId),
    el("span", {}, event.text)
  )

/** The last events of the ledger, newest first. */
export const eventList = (events: ReadonlyArray<EventJson>): ReadonlyArray<HTMLElement> =>
  events.length === 0 ? [el("li", { class: "muted", "data-key": "none" }, "Events are listed here.")] : events.map(item)
