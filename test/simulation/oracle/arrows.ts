import type { BatchStatus } from "../../../src/domain/Batch.ts"
import {
  BATCH_TRANSITIONS,
  REFUND_TRANSITIONS,
  REORGANISATION_TRANSITIONS
} from "../../../src/domain/transferTransitions.ts"
import type { RefundStatus } from "../../../src/domain/Refund.ts"
import type { Status } from "../../../src/domain/Task.ts"

/** The arrows of the product contract, written again here: a mistake in the program must not be ours too. */
const TASK_ARROWS: Record<Status, ReadonlyArray<Status>> = {
  pending_payment: ["funded", "cancelled"],
  funded: ["processing", "failed"],
  processing: ["completed", "failed"],
  failed: ["funded"],
  completed: [],
  cancelled: []
}

export const mayTaskMove = (from: Status, to: Status): boolean => from === to || TASK_ARROWS[from].includes(to)

export const mayBatchMove = (from: BatchStatus, to: BatchStatus): boolean =>
  BATCH_TRANSITIONS[from].includes(to) || from === to || REORGANISATION_TRANSITIONS[from]?.includes(to) === true

export const mayRefundMove = (from: RefundStatus, to: RefundStatus): boolean =>
  REFUND_TRANSITIONS[from].includes(to) || from === to || (from === "paid" && (to === "signed" || to === "held"))

export const arrowOf = (from: string, to: string): string => `${from} → ${to}`

/** As the report names it, apart from the steps of batches. */
export const refundStep = (from: RefundStatus, to: RefundStatus): string => `refund ${arrowOf(from, to)}`

/** Every arrow that executors and operators take: those of batches, and those of refunds. */
export const STEPS: ReadonlyArray<string> = [
  ...Object.entries(BATCH_TRANSITIONS).flatMap(([from, ways]) => ways.map((to) => arrowOf(from, to))),
  ...Object.entries(REORGANISATION_TRANSITIONS).flatMap(([from, ways]) => ways.map((to) => arrowOf(from, to))),
  ...Object.entries(REFUND_TRANSITIONS).flatMap(([from, ways]) =>
    ways.map((to) => refundStep(from as RefundStatus, to))
  )
]
