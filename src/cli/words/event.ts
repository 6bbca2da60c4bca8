import type { EventReport } from "../../operator/reports/status.ts"
import { counted } from "../../domain/counted.ts"
import { causeOf, endOf, shortId } from "../../domain/Task.ts"
import type { Look, Paint } from "./paint.ts"
import { clip, clock, COLUMNS, shortAddress, usdcOf } from "./text.ts"

/** The time, and the short id of a task or wallet. */
const ID_COLUMNS = 15

/** An event of `ai-mint watch`, in a line of words. */
export const eventWords = (event: EventReport, { paint }: Pick<Look, "paint">): string => {
  const about = event.taskId ?? event.walletId
  const id = about === undefined ? "" : event.taskId === undefined ? `wallet ${shortId(about)}` : shortId(about)
  const before = `${clock(event.at)}  ${id.padEnd(ID_COLUMNS)}  `
  const [, to = ""] = event.kind.split(".")
  const as = PAINTS[event.kind] ?? PAINTS[to]
  const text = clip(says(event), COLUMNS - before.length)
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

const says = (event: EventReport): string => {
  const [entity = "", to = ""] = event.kind.split(".")
  switch (entity) {
    case "task":
      return taskSays(to, event)
    case "batch":
      return batchSays(to, event)
    case "deposit":
      return to === "withdrawn"
        ? `↩️ ${amountOf(event)} from ${text(event, "from")} is no longer on chain`
        : `💵 ${amountOf(event)} arrived from ${text(event, "from")}`
    case "chain":
      return `🔀 the chain was reorganised above block ${text(event, "fork")}`
    case "refund":
      return `↩️ refund ${to}: ${amountOf(event)} to ${shortAddress(text(event, "to"))}${because(event, "reason")}`
    case "wallet":
      return to === "stopped" ? `🛑 stopped${because(event, "reason")}` : "the wallet goes on"
    case "decision":
      return `👤 ${text(event, "command")}${actor(event)}: "${text(event, "why")}" (${text(event, "said")})`
    default:
      return event.kind
  }
}

const taskSays = (to: string, event: EventReport): string => {
  const quantity = text(event, "quantity")
  switch (to) {
    case "created":
      return `🛒 ordered: ${counted(quantity, "mint")} for ${usdcOf(whole(event, "cost"))}`
    case "funded":
      return `💰 funded, ${counted(quantity, "mint")} to be made`
    case "processing":
      return "minting begins"
    case "completed":
      return `✅ completed: ${text(event, "minted")} of ${counted(quantity, "mint")}`
    case "refused":
      return `refused${because(event, "message")}`
    case "held":
      return `⚠️ held for a person${because(event, "reason")}`
    case "released":
      return "no longer held"
    default:
      return endOf(to, causeOf(String(event.detail["message"] ?? "")))
  }
}

const batchSays = (to: string, event: EventReport): string => {
  const quantity = text(event, "quantity")
  if (event.batch === undefined)
    return `cut into ${counted(text(event, "batches"), "batch", "batches")}, ${counted(quantity, "mint")} in all`
  const name = `batch ${event.batch}`
  switch (to) {
    case "signed":
      return `${name}: ${amountOf(event)} signed and sent for ${counted(quantity, "mint")}`
    case "paid":
      return `${name}: ${amountOf(event)} paid, in block ${text(event, "block")}`
    case "minted":
      return `${name}: ${text(event, "minted")} of ${counted(quantity, "mint")} are there`
    case "delivered":
      return `🪙 ${name}: delivered, ${text(event, "minted")} of ${counted(quantity, "mint")}`
    case "resent":
      return `${name}: the identical payment was sent again, ${counted(text(event, "sends"), "time")} so far`
    case "noted":
      return `${name}${because(event, "reason")}`
    default:
      return `${name}: ${to}${because(event, "reason")}`
  }
}

const text = ({ detail }: EventReport, key: string): string => String(detail[key] ?? "?")

/** Events from before it was noted have none. */
const actor = ({ detail }: EventReport): string => (typeof detail["by"] === "string" ? ` by ${detail["by"]}` : "")

const because = ({ detail }: EventReport, key: string): string => {
  const value = detail[key]
  return value === null || value === undefined || value === "" ? "" : `: ${causeOf(String(value))}`
}

/** Zero where it is no whole number: a line that is not told is worse. */
const whole = ({ detail }: EventReport, key: string): bigint => {
  const value = String(detail[key] ?? "")
  return /^-?\d{1,40}$/.test(value) ? BigInt(value) : 0n
}

const amountOf = (event: EventReport): string => usdcOf(whole(event, "amount"))
