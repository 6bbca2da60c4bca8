import type { Batch } from "../domain/Batch.ts"
import { isSafeToCopy } from "../domain/text.ts"
import { duration } from "../domain/time.ts"
import type { NextStep } from "../domain/NextStep.ts"
import type { Evidence, PaymentDecision } from "../domain/PaymentDecision.ts"
import type { RetryDecision } from "../domain/RetryDecision.ts"
import type { Usdc } from "../domain/Usdc.ts"
import type { TaskFile } from "../ledger/DecisionRepo.ts"
import type { TaskStory, WalletStory } from "../ledger/WatchRepo.ts"
import type { MoneyRead } from "./money.ts"
import type { Explanation } from "./reports/tasks.ts"

/** What the words about an order are made of. */
export interface Facts {
  readonly story: TaskStory
  /** The order in the row where that is sound, and what is wrong with it where it is not. */
  readonly file: Pick<TaskFile, "task" | "faults">
  /** What a retry would do; `undefined` of a row that is not sound. */
  readonly retry: RetryDecision | undefined
  readonly wallet: WalletStory | undefined
  readonly money: MoneyRead | undefined
  /** What is decided about a sound order that waits for its money; `undefined` of others, and where the chain does not answer. */
  readonly payment: { readonly evidence: Evidence; readonly decision: PaymentDecision } | undefined
  /** How far the ledger's clock is ahead of the chain's, in milliseconds. */
  readonly ledgerAheadMs: number
  /** The same of this machine's clock. */
  readonly oursAheadMs: number
  /** Pauses that hold this order back. */
  readonly pauses: ReadonlyArray<{ readonly scope: string; readonly reason: string }>
  /** A batch of any order that is paid and undelivered for so long that payments to its token are stopped. */
  readonly stuck: Stuck | undefined
  /** What the next turn of its wallet does for an order that is paid for; `undefined` of every other order. */
  readonly step: NextStep | undefined
  readonly paymentTimeoutMs: number
  readonly nowMs: number
  readonly needed: Usdc
  /** Of an order that waits: the part of its cost that is there for it. `undefined` where that is not known. */
  readonly received: Usdc | undefined
}

interface Stuck {
  readonly batch: Batch
  /** Not to a caller who is bound to another person. */
  readonly mayBeNamed: boolean
}

/** What happens next and when, or why nothing does, and what a person can do. */
export type Next = Explanation["next"]

export const next = (text: string, atMs?: number, commands: ReadonlyArray<string> = []): Next => ({
  text,
  at: atMs,
  commands: commands.filter(isSafeToCopy)
})

/** What is due for longer than this has been kept from happening: loops come round every few seconds. */
const LATE_MS = 30_000

/** When something is done that is due at some time; or, where that is long over, what may be the matter. */
export const whenDue = (dueMs: number, nowMs: number): { readonly atMs: number | undefined; readonly late: string } => {
  const lateMs = nowMs - dueMs
  if (lateMs <= LATE_MS) return { atMs: Math.max(dueMs, nowMs), late: "" }
  const late =
    ` It is due since ${duration(lateMs)}: the mint server or the chain may be away, or no executor runs ` +
    "(ai-mint status tells)."
  return { atMs: undefined, late }
}
