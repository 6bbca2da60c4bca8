import { DateTime } from "effect"
import { counted } from "../domain/text.ts"
import { causeOf, endOf } from "../domain/Task.ts"
import { format } from "../domain/Usdc.ts"
import type { DecidedEvent, LedgerEvent } from "../ledger/WatchRepo.ts"

/** As `EventReport` has it. */
export const eventReport = (event: LedgerEvent) => ({
  id: event.id,
  at: event.atMs,
  kind: event.kind,
  text: eventSentence(event),
  taskId: event.taskId,
  walletId: event.walletId,
  batch: event.batch,
  detail: event.detail
})

type Event = Pick<LedgerEvent, "kind" | "batch" | "detail">

/** What happened, in a sentence: feed, page, `ai-mint watch` and `explain` show this one. */
export const eventSentence = (event: Event): string => {
  const [entity = "", state = ""] = event.kind.split(".")
  switch (entity) {
    case "task":
      return taskSentence(state, event)
    case "batch":
      return event.batch === undefined ? planSentence(state, event) : batchSentence(state, event)
    case "deposit":
      return state === "withdrawn"
        ? `${amountOf(event)} from ${text(event, "from")} is no longer on chain`
        : depositSentence(amountOf(event), text(event, "from"), text(event, "block"))
    case "chain":
      return `The chain was reorganised above block ${text(event, "fork")}`
    case "refund":
      return `Refund ${state}: ${amountOf(event)} to ${text(event, "to")}${because(event)}`
    case "pay_in":
      return payInSentence(state, event)
    case "wallet":
      return state === "stopped" ? `The wallet is stopped${because(event)}` : "The wallet goes on"
    case "attention":
      return state === "opened"
        ? `Needs attention: ${text(event, "about")}`
        : `Needs no more attention: ${text(event, "about")}`
    case "decision": {
      const { by } = event.detail
      const decided = { command: text(event, "command"), said: text(event, "said"), why: text(event, "why") }
      return decisionSentence({ ...decided, by: typeof by === "string" ? by : undefined })
    }
    default:
      return event.kind
  }
}

/**
 * `retry by alice with OPS_TOKEN from 10.0.0.7: task … is funded again. "the server is well again"`. Who decided stands
 * first: where a line is cut, and before words of their own.
 */
export const decisionSentence = ({ command, said, why, by }: Omit<DecidedEvent, "atMs">): string =>
  `${command}${by === undefined ? "" : ` by ${by}`}: ${said}. "${why}"`

export const depositSentence = (amount: string, from: string, block: bigint | string): string =>
  `${amount} arrived from ${from} in block ${block}`

const payInSentence = (state: string, event: Event): string => {
  const name = `The payment of ${amountOf(event)} that ${text(event, "from")} signed for this order`
  switch (state) {
    case "placed":
      return `${name} is under way${validUntil(event)}`
    case "live":
      return `${name} is under way again: what was known of it is no longer on chain`
    case "settled":
      return `${name} arrived in block ${text(event, "block")}`
    case "void":
    case "elsewhere":
      return `${name} does not come${because(event)}`
    default:
      return `${name} is ${state}`
  }
}

export const fundedSentence = (quantity: number | string): string =>
  `Paid: its cost is reserved, ${counted(quantity, "mint")} to be made`

export const PROCESSING = "Minting began"

const taskSentence = (state: string, event: Event): string => {
  const quantity = text(event, "quantity")
  switch (state) {
    case "created":
      return `Ordered: ${counted(quantity, "mint")} for ${amountOf(event, "cost")}`
    case "funded":
      // A failed order that is tried again may have been paid and minted in part before.
      return event.detail["from"] === "failed"
        ? "Tried again: what is left of its cost is reserved for it"
        : fundedSentence(quantity)
    case "processing":
      return PROCESSING
    case "completed":
      return `Completed: ${text(event, "minted")} of ${counted(quantity, "mint")}`
    case "refused":
      return `Refused${because(event, "message")}`
    case "held":
      return `Held for a person${because(event)}`
    case "released":
      return "No longer held"
    default:
      // Another program may have given the row any status: its event stays when the row has a known one again.
      return endedSentence(state, String(event.detail["message"] ?? ""))
  }
}

/** How an order ended: `Cancelled: the user asked`. */
export const endedSentence = (status: string, message: string): string =>
  endOf(status.charAt(0).toUpperCase() + status.slice(1), causeOf(message))

/** What was written when the order was cut: one event for all batches that began in the same state. */
const planSentence = (state: string, event: Event): string => {
  const quantity = counted(text(event, "quantity"), "mint")
  const payments = `Found on the chain: ${counted(text(event, "batches"), "payment was", "payments were")} made before`
  switch (state) {
    case "planned":
      return `Cut into ${counted(text(event, "batches"), "batch", "batches")} for ${quantity}, at most ${amountOf(event)}`
    case "paid":
      return `${payments}, for ${quantity}`
    case "held":
      return `${payments}, and for how many mints is not known: held for a person`
    default:
      return `${counted(text(event, "batches"), "batch is", "batches are")} ${state}`
  }
}

const batchSentence = (state: string, event: Event): string => {
  const name = `Batch ${event.batch}`
  const quantity = counted(text(event, "quantity"), "mint")
  const reason = because(event)
  switch (state) {
    case "planned":
      return `${name}: the signed payment was not taken and can never be: it may be signed again${reason}`
    case "signed":
      return `${name}: ${amountOf(event)} signed and sent for ${quantity}${validUntil(event)}, nonce ${text(event, "nonce")}`
    case "accepted":
      return `${name}: the mint server accepted the payment`
    case "unknown":
      return `${name}: it is not known whether it is paid${reason}. The chain will tell`
    case "paid":
      return `${name}: ${amountOf(event)} paid, in block ${text(event, "block")}`
    case "minted":
      return `${name}: ${text(event, "minted")} of ${quantity} are there`
    case "delivered":
      return `${name}: delivered, all ${quantity}`
    case "held":
      return `${name}: held for a person${reason}`
    case "resolved":
      return `${name}: resolved by a person, with ${text(event, "minted")} of ${quantity}`
    case "resent":
      return `${name}: the identical payment was sent again (${counted(text(event, "sends"), "time")} in all)${reason}`
    default:
      return `${name}${reason}`
  }
}

/** `?` where the detail has no such value. */
const text = ({ detail }: Event, key: string): string => String(detail[key] ?? "?")

/** A reason behind a sentence, without the words that say that it is held. */
const because = ({ detail }: Event, key = "reason"): string => {
  const reason = String(detail[key] ?? "")
  return reason === "" ? "" : `: ${causeOf(reason)}`
}

/** Zero where it is no whole number: a sentence that is missing would be worse. */
const amountOf = (event: Event, key = "amount"): string => {
  const amount = text(event, key)
  return `${format(/^-?\d{1,40}$/.test(amount) ? BigInt(amount) : 0n)} USDC`
}

/** Further away than this no date is. */
const DATE_MS_MAX = 8.64e15

/** To the second, in UTC, with its date. */
const validUntil = ({ detail }: Event): string => {
  const ms = Number(detail["validBefore"] ?? Number.NaN) * 1000
  if (!(Math.abs(ms) <= DATE_MS_MAX)) return ""
  return `, valid until ${DateTime.formatIso(DateTime.makeUnsafe(ms)).slice(0, 19).replace("T", " ")} UTC`
}
