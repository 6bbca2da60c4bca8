import { Effect } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import type { Batch } from "../domain/Batch.ts"
import { messages, type TaskId } from "../domain/Task.ts"
import { type Standstill, standstillOf, type UsdcState } from "../domain/UsdcState.ts"
import { holdTask } from "../ops/holdTasks.ts"
import * as Incidents from "../ops/Incidents.ts"

/** What keeps this very payment from being made, by what a look at the chain showed. */
export const standstillFor = Effect.fnUntraced(function* (
  state: UsdcState,
  parties: Parameters<typeof standstillOf>[1]
) {
  yield* Incidents.noteUsdcPause(state)
  return standstillOf(state, parties)
})

/**
 * The same for a payment that the mint server has just not taken, by the newest block. Where the chain does not answer,
 * a refusal may have any cause: it is not held against the order.
 */
export const standstillNow = Effect.fnUntraced(function* (
  { payer, window, payTo }: Batch,
  { isRefusal }: { readonly isRefusal: boolean }
) {
  const payee = window?.payTo ?? payTo
  return yield* (yield* ChainClient).usdcState([payer, payee]).pipe(
    Effect.flatMap((state) => standstillFor(state, { payer, payee })),
    Effect.catch(({ message }) =>
      Effect.succeed<Standstill | undefined>(isRefusal ? { _tag: "Paused", reason: message } : undefined)
    )
  )
})

/** A pause passes by itself; what the blacklist stops is held, for only a person can help. */
export const holdWhere = Effect.fnUntraced(function* (standstill: Standstill, taskIds: ReadonlyArray<TaskId>) {
  if (standstill._tag === "Paused") return
  for (const taskId of taskIds) yield* holdTask(taskId, messages.held(standstill.reason))
})
