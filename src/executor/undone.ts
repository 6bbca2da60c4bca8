import { Effect } from "effect"
import { shortId, type TaskId } from "../domain/Task.ts"
import * as Incidents from "../ops/Incidents.ts"
import * as Log from "../ops/Log.ts"

/** A minute of sweeps: that long no wallet is only busy. */
const SWEEPS_MAX = 6

/**
 * Tells an operator of orders that are to be funded or cancelled and are not, sweep after sweep: a program that holds a
 * row, such as a transaction that was left open, stops that order alone.
 */
export const makeTellUndone = () => {
  let sweeps = new Map<TaskId, number>()
  return Effect.fnUntraced(function* (wanted: ReadonlyArray<TaskId>, done: ReadonlyArray<TaskId>) {
    const changed = new Set(done)
    const undone = wanted.filter((id) => !changed.has(id))
    sweeps = new Map(undone.map((id) => [id, (sweeps.get(id) ?? 0) + 1]))
    for (const [id, count] of sweeps) {
      if (count < SWEEPS_MAX) continue
      const words =
        `Task ${shortId(id)} is to be changed, and its row does not let it: another program may hold it. ` +
        "Look for an open transaction in pg_stat_activity"
      yield* Incidents.raise(`undone:${id}`, words)
      yield* Log.warnOnce(`undone:${id}`, `⚠️ ${words}`, { task: id })
    }
  })
}
