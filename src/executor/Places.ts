import { Clock, Effect, FiberSet, Ref } from "effect"
import {
  afterRequest,
  initialLimit,
  openAtMs,
  placesOf,
  type RequestEnd,
  type RequestLimit
} from "../domain/RequestLimit.ts"
import type { WalletId } from "../domain/Wallet.ts"
import * as Background from "../ops/background.ts"
import * as Metrics from "../ops/metrics.ts"
import { Line } from "./line.ts"

interface Options {
  /** A place is kept for this wallet, which was in line. */
  readonly onCall: (walletId: WalletId) => Effect.Effect<void>
  /** Places that there are at the most. It may be another at each time. */
  readonly max: Effect.Effect<number>
}

interface State {
  readonly limit: RequestLimit
  readonly taken: number
  /** When the next look at the line is due. */
  readonly alarmMs: number
}

/** Of a clock that never jumps. */
export const monotonicMs = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

/**
 * Who may ask the mint server now. There are as many places as it bears (`RequestLimit`); wallets that find none are in
 * line, and are called in the order in which they came. A wallet claims nothing before it has its place, so no payment
 * loses time in the line.
 */
export const makePlaces = Effect.fnUntraced(function* ({ onCall, max }: Options) {
  const state = yield* Ref.make<State>({ limit: initialLimit(yield* max), taken: 0, alarmMs: Number.POSITIVE_INFINITY })
  const line = new Line()
  const alarms = yield* FiberSet.make<void>()

  /** Makes a change, and calls wallets for the places that are free then. */
  const change = Effect.fnUntraced(function* (to: (before: State, most: number, nowMs: number) => State) {
    const [most, nowMs] = [yield* max, yield* monotonicMs]
    const { after, called, alarmMs } = yield* Ref.modify(state, (before) => {
      const changed = to(before, most, nowMs)
      const called = line.call(freeOf(changed, most, nowMs), nowMs)
      const alarmMs = alarmFor(changed, line, nowMs)
      const after = alarmMs === undefined ? changed : { ...changed, alarmMs }
      return [{ after, called, alarmMs }, after]
    })
    yield* Metrics.placesNow({ limit: placesOf(after.limit, most), taken: after.taken, waiting: line.size })
    if (alarmMs !== undefined)
      yield* FiberSet.run(alarms, Background.reported("A look at the line", lookAt(alarmMs, alarmMs - nowMs)))
    yield* Effect.forEach(called, onCall, { discard: true })
  })
  const look = change((before) => before)
  /** An alarm that an earlier one has replaced does nothing: each would else set another, and none would ever end. */
  const lookAt = (alarmMs: number, pauseMs: number): Effect.Effect<void> =>
    Effect.gen(function* () {
      yield* Effect.sleep(Math.ceil(pauseMs))
      if ((yield* Ref.get(state)).alarmMs !== alarmMs) return
      yield* change((before) => ({ ...before, alarmMs: Number.POSITIVE_INFINITY }))
    })

  const take = Effect.fnUntraced(function* (walletId: WalletId) {
    const [most, nowMs] = [yield* max, yield* monotonicMs]
    const isTaken = yield* Ref.modify(state, (before) => {
      const isAdmitted = line.admit(walletId, freeOf(before, most, nowMs))
      return [isAdmitted, isAdmitted ? { ...before, taken: before.taken + 1 } : before]
    })
    yield* look
    return isTaken
  })

  yield* look
  return {
    /** Whether this wallet has a place from now on; else it is in line. */
    take,
    /** A place that was taken is free again. */
    leave: change((before) => ({ ...before, taken: before.taken - 1 })),
    /** A request has ended: the server may bear more or less. */
    noteEnd: (end: RequestEnd) =>
      change((before, most) => ({ ...before, limit: afterRequest(before.limit, end, most) })),
    isCalled: (walletId: WalletId) => Effect.sync(() => line.isCalled(walletId)),
    isIdle: (walletId: WalletId) => Effect.map(Clock.currentTimeMillis, (nowMs) => line.isIdle(walletId, nowMs)),
    waitUntil: (walletId: WalletId, dueMs: number) => Effect.sync(() => line.waitUntil(walletId, dueMs)),
    /** A wallet that is called needs no place. */
    passOn: (walletId: WalletId) =>
      Effect.suspend(() =>
        line.isCalled(walletId)
          ? Effect.andThen(
              Effect.sync(() => line.leave(walletId)),
              look
            )
          : Effect.void
      )
  }
})

const freeOf = ({ limit, taken }: State, most: number, nowMs: number): number =>
  nowMs < openAtMs(limit) ? 0 : placesOf(limit, most) - taken

/** When the line has to be looked at though no request ends, where that is before the next alarm. */
const alarmFor = ({ limit, alarmMs }: State, line: Line, nowMs: number): number | undefined => {
  const opens = openAtMs(limit)
  const lookMs = Math.min(line.lapsesMs, line.size > 0 && nowMs < opens ? opens : Number.POSITIVE_INFINITY)
  return lookMs < alarmMs ? lookMs : undefined
}
