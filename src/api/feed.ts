import { type Cause, Clock, Context, Effect, Layer, Queue, Ref, Schema, type Scope, Stream } from "effect"
import * as Background from "../ops/background.ts"
import * as Log from "../ops/Log.ts"
import { countEvent } from "../ops/metrics.ts"
import type { LedgerError } from "../ledger/TaskRepo.ts"
import { type LedgerEvent, WatchRepo } from "../ledger/WatchRepo.ts"
import type { KeyId } from "../domain/Key.ts"
import { CurrentCaller } from "../operator/Caller.ts"
import { TooMany } from "./contract/problems.ts"
import { EventReport } from "../operator/reports/status.ts"
import { eventReport } from "../operator/events.ts"

/** How soon a listener hears of what happened. */
const POLL_EVERY = "1 second"

/**
 * Events in one question; when there are more, the next question follows at once. Half of what waits for a listener at
 * most: who reads has taken the one half when the other comes.
 */
const PAGE = 250

/** Past events in one answer. A listener who missed more gets this many and an end, and comes back for the rest. */
const PAST_MAX = 1_000

/** A transaction that shows its events later than this is not heard of live; `explain` has them all the same. */
const LATE_MS = 30_000

/** Numbers that were left out and may still come, at most. The sequence leaves some out for good. */
const LATE_MAX = 1_000

const LISTENERS_MAX = 500

/** So many of them with one key: no key keeps the page of an operator from listening. */
const LISTENERS_OF_KEY_MAX = 50

/** Events that wait for a listener who does not read. Then it is let go: it comes back and asks for what it missed. */
const BACKLOG_MAX = 500

/** The socket of a listener. */
export interface Connection {
  /** Bytes that the other end has not taken yet. */
  readonly writableLength: number
  readonly destroy: () => unknown
}

/** An event as it is sent: encoded once for all listeners. */
export interface FeedEvent {
  readonly id: number
  readonly json: string
}

interface Listener {
  /** The key that it came with. */
  readonly keyId: KeyId | undefined
  readonly queue: Queue.Queue<FeedEvent, Cause.Done>
  readonly connection: Connection
  /** Before that, nothing is taken out of the queue. */
  isAnswered: boolean
}

/**
 * What happens in the ledger, as it happens: one reader for all listeners. A listener that stays gets each event at least
 * once and in the order of its number, but for those of transactions that overlap: such a one comes late, and not to a
 * listener that came back in between. The work of the executor waits for no listener.
 */
export class EventFeed extends Context.Service<
  EventFeed,
  {
    /**
     * From now on, or from behind that event on, for as long as the scope is open. Ends behind `PAST_MAX` events of the
     * past, and where the listener falls behind: it comes back with the last number that it has.
     */
    readonly listen: (
      afterId: number | undefined,
      connection: Connection
    ) => Effect.Effect<Stream.Stream<FeedEvent>, TooMany | LedgerError, Scope.Scope>
    /** Ends every listener there is, for a stop of the server, which waits for them. */
    readonly close: Effect.Effect<void>
  }
>()("ai-mint-executor/api/feed/EventFeed") {
  static readonly layer = Layer.effect(
    EventFeed,
    Effect.gen(function* () {
      const watch = yield* WatchRepo
      const listeners = new Set<Listener>()
      const read = yield* makeReader(watch)
      const letGo = (listener: Listener) => {
        listeners.delete(listener)
        const { connection, queue, isAnswered } = listener
        // A listener who does not read would not see an end. What waits is not lost: it is asked for again.
        if (isAnswered && (Queue.sizeUnsafe(queue) > 0 || connection.writableLength > 0)) connection.destroy()
        Queue.endUnsafe(queue)
      }
      const publish = (events: ReadonlyArray<FeedEvent>) => {
        for (const listener of [...listeners]) {
          if (!events.every((event) => Queue.offerUnsafe(listener.queue, event))) letGo(listener)
        }
      }
      const join = Effect.fnUntraced(function* (connection: Connection) {
        if (listeners.size >= LISTENERS_MAX) {
          return yield* new TooMany({ detail: `${LISTENERS_MAX} listeners are there already: try again later.` })
        }
        const { keyId } = yield* CurrentCaller
        const ofKey = [...listeners].filter((one) => keyId !== undefined && one.keyId === keyId)
        if (ofKey.length >= LISTENERS_OF_KEY_MAX) {
          return yield* new TooMany({ detail: `${LISTENERS_OF_KEY_MAX} listeners have this key already: let one go.` })
        }
        const queue = yield* Queue.dropping<FeedEvent, Cause.Done>(BACKLOG_MAX)
        const listener: Listener = { keyId, queue, connection, isAnswered: false }
        listeners.add(listener)
        return listener
      })
      const poll = read.pipe(
        Effect.tap((events) => Effect.sync(() => listeners.size > 0 && publish(events.map(feedEventOf)))),
        Effect.tap((events) => Effect.forEach(events, countEvent, { discard: true })),
        Effect.repeat({ while: (events) => events.length >= PAGE }),
        Effect.catch((error) => Log.warnOnce("events", `⚠️ Events are not read: ${error.message}`))
      )
      yield* Effect.forkScoped(Background.repeated("Reading events", POLL_EVERY, poll))
      return EventFeed.of({
        close: Effect.sync(() => [...listeners].forEach(letGo)),
        listen: Effect.fnUntraced(function* (afterId, connection) {
          const leave = (listener: Listener) => Effect.sync(() => listeners.delete(listener))
          const listener = yield* Effect.acquireRelease(join(connection), leave)
          const past =
            afterId === undefined ? [] : (yield* watch.eventsAfter(afterId, { limit: PAST_MAX })).map(feedEventOf)
          if (past.length >= PAST_MAX) return yield* Effect.as(leave(listener), Stream.fromIterable(past))
          listener.isAnswered = true
          const sent = new Set(past.map(({ id }) => id))
          return Stream.concat(
            Stream.fromIterable(past),
            Stream.filter(Stream.fromQueue(listener.queue), ({ id }) => !sent.has(id))
          )
        })
      })
    })
  )
}

/** How far the events are read. */
interface Position {
  readonly last: number | undefined
  /** When each number was found to be left out, in milliseconds since 1970. */
  readonly missing: ReadonlyMap<number, number>
}

const positionAfter = (
  { last = 0, missing }: Position,
  events: ReadonlyArray<LedgerEvent>,
  nowMs: number
): Position => {
  const left = new Map(missing)
  let newest = last
  for (const { id } of events) {
    left.delete(id)
    for (let number = Math.max(newest + 1, id - LATE_MAX); number < id; number++) left.set(number, nowMs)
    newest = Math.max(newest, id)
  }
  for (const [id, sinceMs] of left) {
    if (nowMs - sinceMs > LATE_MS || left.size > LATE_MAX) left.delete(id)
  }
  return { last: newest, missing: left }
}

/** Reads on from the last event read, and asks again for numbers that were left out lately. Begins with what comes now. */
const makeReader = Effect.fnUntraced(function* (watch: WatchRepo["Service"]) {
  const position = yield* Ref.make<Position>({ last: undefined, missing: new Map() })
  return Effect.gen(function* () {
    const before = yield* Ref.get(position)
    if (before.last === undefined) {
      yield* Ref.set(position, { ...before, last: yield* watch.lastEvent })
      return []
    }
    const events = yield* watch.eventsAfter(before.last, { limit: PAGE, late: [...before.missing.keys()] })
    yield* Ref.set(position, positionAfter(before, events, yield* Clock.currentTimeMillis))
    return events
  })
})

const encode = Schema.encodeSync(Schema.fromJsonString(EventReport))

const feedEventOf = (event: LedgerEvent): FeedEvent => ({ id: event.id, json: encode(eventReport(event)) })
