import type { BatchStatus } from "../../../src/domain/Batch.ts"
import { BATCH_ARROWS } from "../../../src/domain/BatchLife.ts"
import type { Status } from "../../../src/domain/Task.ts"

/** The arrows of section 1 of the product contract, told again here: a mistake in the program must not be ours too. */
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
  BATCH_ARROWS[from].includes(to) || from === to

export const arrowOf = (from: BatchStatus, to: BatchStatus): string => `${from} → ${to}`

/** Nothing takes these without an operator's command. */
const BY_COMMAND: ReadonlyArray<BatchStatus> = ["resolved"]

/** The arrows that an executor takes by itself. */
export const BATCH_STEPS: ReadonlyArray<string> = Object.entries(BATCH_ARROWS).flatMap(([from, ways]) =>
  ways.filter((to) => !BY_COMMAND.includes(to)).map((to) => arrowOf(from as BatchStatus, to))
)
