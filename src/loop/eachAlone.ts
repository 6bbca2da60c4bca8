import { Effect } from "effect"
import { shortId, type TaskId } from "../domain/Task.ts"
import * as Incidents from "../ops/Incidents.ts"
import * as Log from "../ops/Log.ts"
import type { LedgerError } from "../task/TaskRepo.ts"

/** So many rows refused one by one are no bad rows: the ledger refuses everything. */
const REFUSED_MAX = 20

interface Row {
  readonly taskId: TaskId
}

/**
 * Writes many rows in one statement. Where the ledger refuses it, each half is tried alone, down to the row that cannot
 * be written: that one stops itself, an operator is told, and the others go on. Any other failure is everybody's.
 */
export const eachAlone = Effect.fnUntraced(function* <A extends Row, R>(
  rows: ReadonlyArray<A>,
  write: (rows: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<TaskId>, LedgerError, R>
) {
  let refused = 0
  const tell = Effect.fnUntraced(function* ({ taskId }: A, { message }: LedgerError) {
    const words = `Task ${shortId(taskId)} cannot be written, and waits until it can: ${message}`
    yield* Log.warnOnce(`unwritable:${taskId}`, `⚠️ ${words}`, { task: taskId })
    yield* Incidents.raise(`unwritable:${taskId}`, words)
  })
  const attempt = (some: ReadonlyArray<A>): Effect.Effect<ReadonlyArray<TaskId>, LedgerError, R> =>
    Effect.catchIf(write(some), isRefusal, (error) => apart(some, error))
  const apart = Effect.fnUntraced(function* (some: ReadonlyArray<A>, error: LedgerError) {
    const [only, ...others] = some
    if (only !== undefined && others.length === 0) {
      if (++refused > REFUSED_MAX) return yield* error
      yield* tell(only, error)
      return []
    }
    const middle = Math.ceil(some.length / 2)
    const first: ReadonlyArray<TaskId> = yield* attempt(some.slice(0, middle))
    return [...first, ...(yield* attempt(some.slice(middle)))]
  })
  return rows.length === 0 ? [] : yield* attempt(rows)
})

const isRefusal = ({ reason }: LedgerError): boolean => reason === "Rejected"
