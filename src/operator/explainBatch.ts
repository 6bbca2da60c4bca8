import { DateTime } from "effect"
import { counted } from "../domain/counted.ts"
import { format } from "../domain/Usdc.ts"
import type { LedgerEvent } from "../ledger/WatchRepo.ts"

/** A value of an event's detail, as it is. */
export const text = (value: string | number | null | undefined): string => String(value ?? "")
const amountOf = (event: LedgerEvent): string => `${format(BigInt(text(event.detail["amount"]) || "0"))} USDC`
/** A reason behind a sentence. */
export const because = (value: string | number | null | undefined): string =>
  value === null || value === undefined || value === "" ? "" : `: ${value}`

/** A step of a batch in words. */
export const batchWords = (event: LedgerEvent): string =>
  event.batch === undefined ? planWords(event) : stepWords(event)

/** What was written when the order was cut: one event for all batches that began in the same state. */
const planWords = (event: LedgerEvent): string => {
  const { kind, detail } = event
  const quantity = counted(text(detail["quantity"]), "mint")
  const payments = `Found on the chain: ${counted(text(detail["batches"]), "payment was", "payments were")} made before`
  switch (kind) {
    case "batch.planned":
      return `Cut into ${counted(text(detail["batches"]), "batch", "batches")} for ${quantity}, at most ${amountOf(event)}`
    case "batch.paid":
      return `${payments}, for ${quantity}`
    case "batch.held":
      return `${payments}, and nobody can tell for how many mints: held for a person`
    default:
      return `${counted(text(detail["batches"]), "batch is", "batches are")} ${kind.slice(6)}`
  }
}

const stepWords = (event: LedgerEvent): string => {
  const { kind, batch, detail } = event
  const name = `Batch ${batch}`
  const quantity = counted(text(detail["quantity"]), "mint")
  const reason = because(detail["reason"])
  switch (kind) {
    case "batch.planned":
      return `${name}: the signed payment was not taken and can never be: it may be signed again${reason}`
    case "batch.signed":
      return `${name}: ${amountOf(event)} signed and sent for ${quantity}${validUntil(event)}, nonce ${text(detail["nonce"])}`
    case "batch.accepted":
      return `${name}: the mint server accepted the payment`
    case "batch.unknown":
      return `${name}: it is not known whether it is paid${reason}. The chain will tell`
    case "batch.paid":
      return `${name}: ${amountOf(event)} paid, in block ${text(detail["block"])}`
    case "batch.minted":
      return `${name}: ${text(detail["minted"])} of ${quantity} are there`
    case "batch.delivered":
      return `${name}: delivered, all ${quantity}`
    case "batch.held":
      return `${name}: held for a person${reason}`
    case "batch.resolved":
      return `${name}: resolved by a person, with ${text(detail["minted"])} of ${quantity}`
    case "batch.resent":
      return `${name}: the identical payment was sent again (${counted(text(detail["sends"]), "time")} in all)${reason}`
    default:
      return `${name}${reason}`
  }
}

const validUntil = ({ detail }: LedgerEvent): string => {
  const time = isoTime(Number(detail["validBefore"] ?? Number.NaN) * 1000)
  return time === undefined ? "" : `, valid until ${time}`
}

/** Further away than this no date is. */
const DATE_MS_MAX = 8.64e15

/** To the second, in UTC, with its date. */
const isoTime = (ms: number): string | undefined => {
  if (!(Math.abs(ms) <= DATE_MS_MAX)) return undefined
  return `${DateTime.formatIso(DateTime.makeUnsafe(ms)).slice(0, 19).replace("T", " ")} UTC`
}
