import { type Cause, Clock, Context, Effect, Layer, Queue, Schedule, Stream } from "effect"
import * as Log from "../ops/Log.ts"
import { countTransition } from "../ops/metrics.ts"
import type { LedgerError } from "../task/TaskRepo.ts"
import { type LedgerEvent, WatchRepo } from "../task/WatchRepo.ts"
import { TooMany } from "./contract/problems.ts"

/** How soon a listener hears of what happened. */
const POLL_EVERY = "1 second"

/** Events in one question; when there are more, the next question follows at once. */
const PAGE = 1_000

/** A transaction that shows its events later than this is not heard of live; `explain` has them all the same. */
const LATE_MS = 30_000

/** Numbers that were left out and may still come, at most. The sequence leaves some out for good. */
const LATE_MAX = 1_000

const LISTENERS_MAX = 500

/** Events that wait for a listener who does not read. Then it is let go: it comes back and asks for what it missed. */
const BACKLOG_MAX = 500

type Listener = Queue.Queue<LedgerEvent, Cause.Done>

/**
 * What happens in the ledger, as it happens, whoever does it: one reader for all listeners. Each event comes at least
 * once and in the order of its number, but for those of transactions that overlap. Nobody waits for a listener.
 */
export class EventFeed extends Context.Service<
  EventFeed,
  {
    /** From now on, or from behind that event on, `PAGE` of the past at most. Ends where the listener falls behind. */
    readonly listen: (afterId: number | undefined) => Effect.Effect<Stream.Stream<LedgerEvent>, TooMany | LedgerError>
    readonly listeners: Effect.Effect<number>
  }
>()("ai-mint-executor/api/feed/EventFeed") {
  static readonly layer = Layer.effect(
    EventFeed,
    Effect.gen(function* () {
      const watch = yield* WatchRepo
      const listeners = new Set<Listener>()
      yield* Effect.addFinalizer(() => Effect.sync(() => [...listeners].forEach(Queue.endUnsafe)))
      const read = makeReader(watch)
      const tell = (events: ReadonlyArray<LedgerEvent>) => {
        for (const listener of [...listeners]) {
          if (events.every((event) => Queue.offerUnsafe(listener, event))) continue
          listeners.delete(listener)
          Queue.endUnsafe(listener)
        }
      }
      const poll = read.pipe(
        Effect.tap((events) => Effect.sync(() => tell(events))),
        Effect.tap((events) => Effect.forEach(events, count, { discard: true })),
        Effect.repeat({ while: (events) => events.length >= PAGE }),
        Effect.catch((error) => Log.warnOnce("events", `⚠️ Events are not read: ${error.message}`))
      )
      yield* Effect.forkScoped(Effect.repeat(poll, Schedule.spaced(POLL_EVERY)))
      return EventFeed.of({
        listeners: Effect.sync(() => listeners.size),
        listen: Effect.fnUntraced(function* (afterId) {
          if (listeners.size >= LISTENERS_MAX) {
            return yield* new TooMany({ detail: `${LISTENERS_MAX} listeners are there already: try again later.` })
          }
          const queue = yield* Queue.dropping<LedgerEvent, Cause.Done>(BACKLOG_MAX)
          listeners.add(queue)
          const past =
            afterId === undefined
              ? []
              : yield* watch
                  .eventsAfter(afterId, { limit: PAGE })
                  .pipe(Effect.onError(() => Effect.sync(() => listeners.delete(queue))))
          const told = new Set(past.map(({ id }) => id))
          return Stream.fromIterable(past).pipe(
            Stream.concat(Stream.filter(Stream.fromQueue(queue), ({ id }) => !told.has(id))),
            Stream.ensuring(Effect.sync(() => listeners.delete(queue)))
          )
        })
      })
    })
  )
}

/** Reads on from where it was, and looks again for numbers that were left out a moment ago. Begins with what comes now. */
const makeReader = (watch: WatchRepo["Service"]) => {
  let last: number | undefined
  /** When each number was found to be left out. */
  const missing = new Map<number, number>()
  const note = (events: ReadonlyArray<LedgerEvent>, nowMs: number) => {
    for (const { id } of events) {
      missing.delete(id)
      for (let left = Math.max((last ?? 0) + 1, id - LATE_MAX); left < id; left++) missing.set(left, nowMs)
      last = Math.max(last ?? 0, id)
    }
    for (const [id, sinceMs] of missing) {
      if (nowMs - sinceMs > LATE_MS || missing.size > LATE_MAX) missing.delete(id)
    }
  }
  return Effect.gen(function* () {
    if (last === undefined) {
      last = yield* watch.lastEvent
      return []
    }
    const events = yield* watch.eventsAfter(last, { limit: PAGE, late: [...missing.keys()] })
    note(events, yield* Clock.currentTimeMillis)
    return events
  })
}

/** `task.funded` is a transition of a task to `funded`. */
const count = ({ kind }: LedgerEvent): Effect.Effect<void> => {
  const [entity = "", to = ""] = kind.split(".")
  const isState = entity === "task" || entity === "batch" || entity === "refund"
  return isState ? countTransition(entity, to) : Effect.void
}
