import type { Effect } from "effect"
import { causeOf, shortId, type TaskId } from "../domain/Task.ts"
import * as Log from "./Log.ts"

/** An order waits for a person from now on: an error, as nothing but a person ends it. */
export const tellHeld = (taskId: TaskId, reason: string): Effect.Effect<void> =>
  Log.error(`🚨 Task ${shortId(taskId)} is held: ${causeOf(reason)}. See: ai-mint explain ${shortId(taskId)}`, {
    task: taskId
  })
