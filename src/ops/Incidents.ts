import { Clock, Context, Effect, Layer } from "effect"
import { USDC_PAUSED, type UsdcState } from "../domain/UsdcState.ts"
import * as Log from "./Log.ts"

/**
 * Something outside this program that keeps its work waiting: USDC is paused, clocks disagree, no node explains a
 * spent nonce. It costs no order anything, and an operator must hear of it.
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

/** An incident that nothing has raised for so long is over: whatever asked has stopped asking. */
const FORGOTTEN_MS = 5 * 60_000

/** More than this at once are one large incident, which is in sight by then. */
const INCIDENTS_MAX = 500

/** One for the program: `layer` brings it. Without the layer all share one, so that a part runs alone as well. */
export const CurrentIncidents = Context.Reference<Map<string, Noted>>(
  "ai-mint-executor/ops/Incidents/CurrentIncidents",
  { defaultValue: () => new Map() }
)

export const layer = Layer.sync(CurrentIncidents, () => new Map<string, Noted>())

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
  const incidents = yield* CurrentIncidents
  const nowMs = yield* Clock.currentTimeMillis
  const known = incidents.get(key)
  const isLasting = known !== undefined && nowMs - known.seenAtMs <= FORGOTTEN_MS
  if (!isLasting && incidents.size >= INCIDENTS_MAX) dropForgotten(incidents, nowMs)
  if (!isLasting && incidents.size >= INCIDENTS_MAX) return
  const sinceMs = isLasting ? known.sinceMs : nowMs
  incidents.set(key, { ...incident, sinceMs, seenAtMs: nowMs, shownAtMs: sinceMs + afterMs })
})

/** The condition does not hold any more. Says whether it did. */
export const close = (key: string): Effect.Effect<boolean> =>
  Effect.map(CurrentIncidents, (incidents) => incidents.delete(key))

/** Tells when a condition was last raised; `undefined` where it does not hold. */
export const lastRaised = Effect.gen(function* () {
  const incidents = yield* CurrentIncidents
  const nowMs = yield* Clock.currentTimeMillis
  return (key: string): number | undefined => {
    const seenAtMs = incidents.get(key)?.seenAtMs
    return seenAtMs !== undefined && nowMs - seenAtMs <= FORGOTTEN_MS ? seenAtMs : undefined
  }
})

/** What holds now and has lasted long enough to be shown, the oldest first. */
export const open: Effect.Effect<ReadonlyArray<Incident>> = Effect.gen(function* () {
  const incidents = yield* CurrentIncidents
  const nowMs = yield* Clock.currentTimeMillis
  dropForgotten(incidents, nowMs)
  return [...incidents.values()]
    .filter(({ shownAtMs }) => shownAtMs <= nowMs)
    .toSorted((a, b) => a.sinceMs - b.sinceMs)
    .map(({ key, words, sinceMs, stopsMoney }) => ({ key, words, sinceMs, stopsMoney }))
})

const dropForgotten = (incidents: Map<string, Noted>, nowMs: number): void => {
  for (const { key, seenAtMs } of incidents.values()) {
    if (nowMs - seenAtMs > FORGOTTEN_MS) incidents.delete(key)
  }
}

const USDC_PAUSE = "usdc-paused"

/** Reports that USDC is paused, and that it moves again. */
export const noteUsdcPause = Effect.fnUntraced(function* ({ isPaused }: Pick<UsdcState, "isPaused">) {
  if (isPaused) {
    yield* raiseStop(USDC_PAUSE, `${USDC_PAUSED}. All orders wait, and go on by themselves.`)
    return yield* Log.warnOnce(USDC_PAUSE, `⚠️ ${USDC_PAUSED}`)
  }
  if (yield* close(USDC_PAUSE)) yield* Log.info("USDC moves again")
})
