import { shortId } from "../../domain/Task.ts"
import type { EventReport } from "../../operator/reports/status.ts"
import type { Look, Paint } from "./paint.ts"
import { clip, clock, COLUMNS } from "./text.ts"

/** The time, and the short id of a task or wallet. */
const ID_COLUMNS = 15

/** An event of `ai-mint watch`, in a line. */
export const eventLine = (event: EventReport, { paint }: Pick<Look, "paint">): string => {
  const about = event.taskId ?? event.walletId
  const id = about === undefined ? "" : event.taskId === undefined ? `wallet ${shortId(about)}` : shortId(about)
  const before = `${clock(event.at)}  ${id.padEnd(ID_COLUMNS)}  `
  const [entity = "", state = ""] = event.kind.split(".")
  const as = PAINTS[event.kind] ?? PAINTS[state]
  const icon = ICONS[event.kind] ?? ICONS[entity]
  const sentence = icon === undefined ? event.text : `${icon} ${event.text}`
  // Who decided what, and why, is never cut.
  const text = entity === "decision" ? sentence : clip(sentence, COLUMNS - before.length)
  return `${before}${as === undefined ? text : paint[as](text)}`
}

const PAINTS: Readonly<Record<string, keyof Paint>> = {
  "batch.delivered": "good",
  completed: "good",
  failed: "bad",
  held: "bad",
  stopped: "bad",
  refused: "warn",
  unknown: "warn",
  resent: "faint",
  noted: "faint"
}

const ICONS: Readonly<Record<string, string>> = {
  "task.created": "🛒",
  "task.funded": "💰",
  "task.completed": "✅",
  "task.held": "⚠️",
  "batch.delivered": "🪙",
  "deposit.withdrawn": "↩️",
  "wallet.stopped": "🛑",
  deposit: "💵",
  chain: "🔀",
  refund: "↩️",
  decision: "👤"
}
