import { isLive } from "../domain/Authorization.ts"
import type { Batch } from "../domain/Batch.ts"
import { causeOf, isHeldUndelivered, messages, shortId } from "../domain/Task.ts"
import { type Facts, next, type Next } from "./explainFacts.ts"

/** What `messages.badOrder` begins with, with any faults. */
const BAD_ORDER = messages.badOrder([])

/** How a hold begins that `takeOver` puts on an order of v1.1. */
const V1_PAID = messages.held("v1.1 paid")

/** How the reason of such a hold ends. */
const NEVER_PAID_FOR = "made and never paid for"

/** An order that waits for a person: why, and the commands that end that very hold. */
export const held = (facts: Facts): Next => {
  const { story, file } = facts
  const reason = story.task.held?.reason ?? ""
  const repair = file.task === undefined ? repairWords(file.faults, reason) : repairedWords(reason)
  return next(`Nothing until a person decides: ${causeOf(reason)}${repair}`, undefined, waysOut(facts, reason))
}

const repairWords = (faults: ReadonlyArray<string>, reason: string): string => {
  const what = reason === messages.badOrder(faults) ? "" : ` (${faults.join("; ")})`
  return `. To go on with it, repair its row${what}, and then retry.`
}

const repairedWords = (reason: string): string =>
  reason.startsWith(BAD_ORDER) ? ". Its row is sound now: a retry takes it up again." : ""

/** A row that no order can be read from, and that is not set aside yet. */
export const unsound = (facts: Facts): Next =>
  next(
    `It cannot be carried out (${facts.file.faults.join("; ")}), and is set aside for a person at one of the next ` +
      "checks. Repair its row, or give it up.",
    undefined,
    giveUp(facts)
  )

const waysOut = (facts: Facts, reason: string): ReadonlyArray<string> => {
  const { story, file } = facts
  const id = shortId(story.task.id)
  const isLate = ({ status, number }: Batch) => status === "paid" && isHeldUndelivered(reason, number)
  const toDecide = story.batches.filter((batch) => batch.status === "held" || isLate(batch))
  const again = facts.retry?._tag === "Release" ? [`retry ${id} --why "…"`] : []
  if (toDecide.length > 0) return [...again, ...toDecide.flatMap((batch) => resolveBatch(facts, batch))]
  if (file.task === undefined) return giveUp(facts)
  // A retry would be held again for the same: only a person can tell what v1.1 delivered.
  if (reason.startsWith(V1_PAID) && story.batches.length === 0) {
    return [`adopt ${id} --mints n --why "…"`, ...giveUp(facts)]
  }
  return [...again, ...giveUp(facts)]
}

/**
 * How a batch is decided that is held, or paid and not delivered. What is paid is never bought again, and nothing is
 * bought for a row that no order can be read from.
 */
export const resolveBatch = (facts: Facts, batch: Batch): ReadonlyArray<string> => {
  const { number, status } = batch
  const id = shortId(facts.story.task.id)
  if (status !== "held" && status !== "paid") return []
  if (isUnpaid(facts, batch)) return [`resolve ${id} --batch ${number} --as delivered|again|failed --why "…"`]
  return mayBeReplaced(facts, batch)
    ? [`resolve ${id} --batch ${number} --as delivered|replaced|failed --why "…"`]
    : [`resolve ${id} --batch ${number} --as delivered|failed --why "…"`]
}

/** Held for mints that came without its payment: they are of this order, or they are not. */
const isUnpaid = ({ file: { task } }: Facts, { status, reason = "" }: Batch): boolean =>
  status === "held" && task !== undefined && reason.endsWith(NEVER_PAID_FOR)

/** It was paid before the ledger was restored from a backup: for how many mints is not known. */
const mayBeReplaced = ({ file: { task } }: Facts, { status, reason = "" }: Batch): boolean =>
  status === "held" && task !== undefined && !reason.includes("before the ledger was restored")

/** While a payment may be on its way the order does not fail. */
const giveUp = ({ story: { task, batches } }: Facts): ReadonlyArray<string> => {
  const id = shortId(task.id)
  if (task.status === "pending_payment") return [`cancel ${id} --why "…"`]
  return batches.some(isLive) ? [] : [`resolve ${id} --as failed --why "…"`]
}
