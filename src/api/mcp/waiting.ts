import { Clock, Effect, Semaphore } from "effect"
import type { Operator, OperatorError } from "../../operator/Operator.ts"
import type { TaskReport } from "../../operator/reports/tasks.ts"

/** How often an order that is waited for is looked at: a few rows by their keys. */
const LOOK_EVERY_MS = 1_000

/** Calls that wait at once. One more is answered at once with the order as it is: each costs a look in a second. */
const WAITS_MAX = 100

/** An order, and whether it changed meanwhile. */
interface Waited {
  readonly order: TaskReport
  readonly changed: boolean
}

/** Looks at an order until it changes, for `forMs` at most. Does not wait for one that has ended. */
export const makeWait = Effect.fnUntraced(function* ({ showTask }: Pick<Operator["Service"], "showTask">) {
  const places = yield* Semaphore.make(WAITS_MAX)

  const untilChanged = Effect.fnUntraced(function* (before: TaskReport, forMs: number) {
    const endMs = (yield* Clock.currentTimeMillis) + forMs
    let order = before
    for (let nowMs = endMs - forMs; nowMs < endMs; nowMs = yield* Clock.currentTimeMillis) {
      yield* Effect.sleep(Math.min(LOOK_EVERY_MS, endMs - nowMs))
      // One look that fails is not the end: the next may succeed, and the last answer is still true.
      order = yield* Effect.catchTag(showTask(before.id), "Unanswered", () => Effect.succeed(order))
      if (stateOf(order) !== stateOf(before)) return { order, changed: true } satisfies Waited as Waited
    }
    return { order, changed: false } satisfies Waited as Waited
  })

  return Effect.fnUntraced(function* (name: string, forMs: number): Effect.fn.Return<Waited, OperatorError> {
    const order = yield* showTask(name)
    const asItIs: Waited = { order, changed: false }
    if (hasEnded(order)) return asItIs
    const waited = yield* places.withPermitsIfAvailable(1)(untilChanged(order, forMs))
    return waited._tag === "Some" ? waited.value : asItIs
  })
})

/** Nothing more happens to it. One that waits for an operator is waited for: answered at once, it would be asked for at once again. */
const hasEnded = ({ nextAction }: TaskReport): boolean => nextAction === "none" || nextAction === "new_order"

/** What a change of is worth an answer. */
const stateOf = (order: TaskReport): string => {
  const { status, held, mintsCompleted, errorMessage, paymentState, nextAction, amountDue } = order
  return [status, held?.reason, mintsCompleted, errorMessage, paymentState, nextAction, amountDue].join("\n")
}
