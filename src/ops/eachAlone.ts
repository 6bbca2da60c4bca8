import { Effect } from "effect"
import { shortId, type TaskId } from "../domain/Task.ts"
import { LedgerError } from "../ledger/TaskRepo.ts"
import * as Incidents from "./Incidents.ts"
import * as Log from "./Log.ts"

/** So many refused rows are isolated at a time. Where none of the others can be written either, the ledger refuses all. */
const REFUSED_MAX = 20

/** So many rows that were refused before are tried again at a time, those first whose last try is the oldest. */
const AGAIN_MAX = 20

interface Row {
  readonly taskId: TaskId
}

type Write<A, R> = (rows: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<TaskId>, LedgerError, R>

/**
 * Writes many rows in one statement. Where the ledger refuses it, each half is tried alone, down to the row that cannot
 * be written: that row waits, an incident reports it, and the others go on. From then on it is tried alone, so
 * that it costs the others nothing. Any other failure fails all.
 */
export const eachAlone = Effect.fnUntraced(function* <A extends Row, R>(rows: ReadonlyArray<A>, write: Write<A, R>) {
  if (rows.length === 0) return []
  const { fresh, again } = yield* sorted(rows)
  const written = [...(yield* inHalves(fresh, write))]
  for (const row of again) {
    const done = yield* alone(row.taskId, write([row]), () => Effect.succeed<ReadonlyArray<TaskId>>([]))
    if (done.length > 0) yield* Incidents.close(unwritableKey(row.taskId))
    written.push(...done)
  }
  return written
})

/** Rows that were not refused before, and of the others those whose turn it is. */
const sorted = Effect.fnUntraced(function* <A extends Row>(rows: ReadonlyArray<A>) {
  const lastRaisedMs = yield* Incidents.lastRaised
  const raised = rows.map(({ taskId }) => lastRaisedMs(unwritableKey(taskId)))
  const refused = rows.flatMap((row, index) => {
    const atMs = raised[index]
    return atMs === undefined ? [] : [{ row, atMs }]
  })
  const again = refused.toSorted((a, b) => a.atMs - b.atMs).slice(0, AGAIN_MAX)
  return { fresh: rows.filter((_, index) => raised[index] === undefined), again: again.map(({ row }) => row) }
})

const inHalves = Effect.fnUntraced(function* <A extends Row, R>(rows: ReadonlyArray<A>, write: Write<A, R>) {
  const written: Array<TaskId> = []
  let refused = 0
  const attempt = (some: ReadonlyArray<A>): Effect.Effect<void, LedgerError, R> =>
    some.length === 0 || refused >= REFUSED_MAX
      ? Effect.void
      : write(some).pipe(
          Effect.map((ids) => void written.push(...ids)),
          Effect.catchIf(isRefusal, (error) => apart(some, error))
        )
  const apart = Effect.fnUntraced(function* (some: ReadonlyArray<A>, error: LedgerError) {
    const [only, ...others] = some
    if (only !== undefined && others.length === 0) {
      yield* reportUnwritable(only.taskId, error)
      if (++refused === REFUSED_MAX && written.length === 0) return yield* error
      return
    }
    const middle = Math.ceil(some.length / 2)
    yield* attempt(some.slice(0, middle))
    yield* attempt(some.slice(middle))
  })
  yield* attempt(rows)
  return written
})

/**
 * Does something for one order. Where the ledger refuses to write a row of it, or another program holds one, that order
 * alone waits, an incident reports it, and `instead` runs, which writes only our own tables.
 */
export const alone = <A, E, R, B, E2, R2>(
  taskId: TaskId,
  work: Effect.Effect<A, E | LedgerError, R>,
  instead: (error: LedgerError) => Effect.Effect<B, E2, R2>
): Effect.Effect<A | B, E | LedgerError | E2, R | R2> =>
  Effect.catchIf(work, isRefused, (error) => Effect.andThen(reportUnwritable(taskId, error), instead(error)))

const unwritableKey = (taskId: TaskId): string => `unwritable:${taskId}`

/** A lock is only logged: most of them end in a moment. */
const reportUnwritable = Effect.fnUntraced(function* (taskId: TaskId, error: LedgerError) {
  const words = `Task ${shortId(taskId)} cannot be written, and waits until it can: ${error.message}`
  yield* Log.warnOnce(unwritableKey(taskId), `⚠️ ${words}`, { task: taskId })
  if (isRefusal(error)) yield* Incidents.raise(unwritableKey(taskId), words)
})

const isRefused = (error: unknown): error is LedgerError =>
  error instanceof LedgerError && (isRefusal(error) || error.reason === "Contended")

const isRefusal = ({ reason }: LedgerError): boolean => reason === "Rejected"
