import { Clock, Effect } from "effect"
import { USDC_PAUSED, type UsdcState } from "../domain/UsdcState.ts"
import * as Log from "./Log.ts"
import { makeState } from "./state.ts"

/**
 * Something outside this program that keeps its work waiting: USDC is paused, clocks disagree, no node explains a
 * spent nonce. It costs no order anything, and operators see it.
 */
export interface Incident {
  /** Names the condition: the same condition raised again is the same incident. */
  readonly key: string
  /** One line for a person: what is wrong and what to do about it. */
  readonly words: string
  /** When it was first seen, in milliseconds since 1970. */
  readonly sinceMs: number
  /** While it lasts no money can move at all: the executor is not ready. */
  readonly stopsMoney: boolean
}

interface Noted extends Incident {
  readonly seenAtMs: number
  readonly shownAtMs: number
}

/** An incident that was not raised for so long is over. */
const FORGOTTEN_MS = 5 * 60_000

/** More than this at once are one large incident, which operators see by then. */
const INCIDENTS_MAX = 500

const incidents = makeState<ReadonlyMap<string, Noted>>(
  "Incidents",
  Effect.sync(() => new Map())
)

export const layer = incidents.layer

/**
 * Notes that the condition holds now. It is on the list once it has lasted `afterMs`, and leaves the list when it is
 * closed or has not been raised for five minutes.
 */
export const raise = (key: string, words: string, afterMs = 0): Effect.Effect<void> =>
  note({ key, words, stopsMoney: false }, afterMs)

/** The same for a condition in which no money can move at all. */
export const raiseStop = (key: string, words: string): Effect.Effect<void> => note({ key, words, stopsMoney: true }, 0)

const note = Effect.fnUntraced(function* (incident: Omit<Incident, "sinceMs">, afterMs: number) {
  const { key } = incident
  const nowMs = yield* Clock.currentTimeMillis
  yield* incidents.update((before) => {
    const known = before.get(key)
    const isLasting = known !== undefined && isRecent(known, nowMs)
    const kept = isLasting || before.size < INCIDENTS_MAX ? before : recent(before, nowMs)
    if (!isLasting && kept.size >= INCIDENTS_MAX) return kept
    const sinceMs = isLasting ? known.sinceMs : nowMs
    return new Map(kept).set(key, { ...incident, sinceMs, seenAtMs: nowMs, shownAtMs: sinceMs + afterMs })
  })
})

const isRecent = ({ seenAtMs }: Noted, nowMs: number): boolean => nowMs - seenAtMs <= FORGOTTEN_MS

const recent = (all: ReadonlyMap<string, Noted>, nowMs: number): ReadonlyMap<string, Noted> =>
  new Map([...all].filter(([, noted]) => isRecent(noted, nowMs)))

/** The condition no longer holds. Returns whether it did. */
export const close = (key: string): Effect.Effect<boolean> =>
  incidents.modify((before) => {
    if (!before.has(key)) return [false, before]
    return [true, new Map([...before].filter(([one]) => one !== key))]
  })

/** None of these conditions holds any longer. */
export const closeAll = (keys: ReadonlyArray<string>): Effect.Effect<void> =>
  incidents.update((before) => {
    const held = keys.filter((key) => before.has(key))
    if (held.length === 0) return before
    const over = new Set(held)
    return new Map([...before].filter(([key]) => !over.has(key)))
  })

/** Gives the time at which a condition was last raised, in milliseconds; `undefined` where it does not hold. */
export const lastRaised = Effect.gen(function* () {
  const all = yield* incidents.get
  const nowMs = yield* Clock.currentTimeMillis
  return (key: string): number | undefined => {
    const noted = all.get(key)
    return noted !== undefined && isRecent(noted, nowMs) ? noted.seenAtMs : undefined
  }
})

/** What holds now and has lasted long enough to be shown, the oldest first. */
export const open: Effect.Effect<ReadonlyArray<Incident>> = Effect.gen(function* () {
  const nowMs = yield* Clock.currentTimeMillis
  return [...recent(yield* incidents.get, nowMs).values()]
    .filter(({ shownAtMs }) => shownAtMs <= nowMs)
    .toSorted((a, b) => a.sinceMs - b.sinceMs)
    .map(({ key, words, sinceMs, stopsMoney }) => ({ key, words, sinceMs, stopsMoney }))
})

const USDC_PAUSE = "usdc-paused"

/** Reports that USDC is paused, and that it moves again. */
export const noteUsdcPause = Effect.fnUntraced(function* ({ isPaused }: Pick<UsdcState, "isPaused">) {
  if (isPaused) {
    yield* raiseStop(USDC_PAUSE, `${USDC_PAUSED}. All orders wait, and go on by themselves.`)
    return yield* Log.warnOnce(USDC_PAUSE, `⚠️ ${USDC_PAUSED}`)
  }
  if (yield* close(USDC_PAUSE)) yield* Log.info("USDC moves again")
})
