import { Clock, Context, Effect, Layer, Ref } from "effect"
import type { Block } from "../domain/Block.ts"
import * as Incidents from "../ops/Incidents.ts"
import * as Metrics from "../ops/metrics.ts"

/** The first pause after trouble of the environment, and the longest. */
const PAUSE_MS_FIRST = 5_000
const PAUSE_MS_MAX = 60_000

/** A chain that has made no block for so long stands still, or its node does: what is signed by its clock may lapse. */
export const STANDSTILL_MS = 20_000

/** Trouble with the mint server is an incident once it has lasted so long. */
const SERVER_TROUBLE_MS = 60_000

/** Of more requests at once the oldest are forgotten; their incident then ends five minutes after the last of it. */
const TROUBLED_MAX = 500

/**
 * How long to leave the environment alone. Chain, mint server and ledger are shared by all wallets: when they fail,
 * every wallet backs off together, and the first success ends it. None of it is the fault of a task.
 */
export class Outage extends Context.Service<
  Outage,
  {
    /** Notes a failure. The pause before the next try, in milliseconds. */
    readonly failed: Effect.Effect<number>
    readonly over: Effect.Effect<void>
    /**
     * For how long no block newer than this one has been seen, in milliseconds. By our own clock alone: it need not
     * agree with the chain's.
     */
    readonly standstillMs: (block: Block) => Effect.Effect<number>
    /** Notes that this request waits for the mint server, and why. It costs no order anything. */
    readonly serverFailed: (request: string, reason: string) => Effect.Effect<void>
    /** The server answered this request itself. The last one that had this trouble ends the incident. */
    readonly serverAnswered: (request: string) => Effect.Effect<void>
  }
>()("ai-mint-executor/executor/Outage") {
  static readonly layer = Layer.effect(
    Outage,
    Effect.gen(function* () {
      const pause = yield* Ref.make(NO_PAUSE)
      const newest = yield* Ref.make({ number: -1n, sinceMs: 0 })
      const troubled = yield* Ref.make<ReadonlyMap<string, string>>(new Map())
      const serverAnswered = Effect.fnUntraced(function* (request: string) {
        const ended = yield* Ref.modify(troubled, (before) => {
          const reason = before.get(request)
          const left = new Map([...before].filter(([one]) => one !== request))
          return [reason !== undefined && [...left.values()].includes(reason) ? undefined : reason, left]
        })
        if (ended !== undefined) yield* Incidents.close(troubleWith(ended))
      })
      return Outage.of({
        failed: Effect.gen(function* () {
          const nowMs = yield* Clock.currentTimeMillis
          const { isAnother, untilMs } = yield* Ref.updateAndGet(pause, (before) => nextPause(before, nowMs))
          yield* Metrics.outageSeen(isAnother)
          return untilMs - nowMs
        }),
        over: Effect.andThen(Ref.set(pause, NO_PAUSE), Metrics.outageOver),
        standstillMs: Effect.fnUntraced(function* ({ number }) {
          const nowMs = yield* Clock.currentTimeMillis
          const { sinceMs } = yield* Ref.updateAndGet(newest, (before) =>
            number > before.number ? { number, sinceMs: nowMs } : before
          )
          return nowMs - sinceMs
        }),
        serverFailed: Effect.fnUntraced(function* (request, reason) {
          if ((yield* Ref.get(troubled)).get(request) !== reason) yield* serverAnswered(request)
          yield* Ref.update(troubled, (before) => new Map([...before, [request, reason] as const].slice(-TROUBLED_MAX)))
          const words = `Minting waits for the mint server: ${reason}`
          yield* Incidents.raise(troubleWith(reason), words, SERVER_TROUBLE_MS)
        }),
        serverAnswered
      })
    })
  )
}

/** Pauses of an outage so far, until when the last one is, and whether the last failure began one. */
interface Pause {
  readonly count: number
  readonly untilMs: number
  readonly isAnother: boolean
}

const NO_PAUSE: Pause = { count: 0, untilMs: 0, isAnother: false }

/** Many wallets fail in the same moment: only a failure after the pause makes the next one longer. */
const nextPause = ({ count, untilMs }: Pause, nowMs: number): Pause => {
  // No pause is longer than the maximum: the clock was set back since that one was made.
  if (nowMs < untilMs && untilMs - nowMs <= PAUSE_MS_MAX) return { count, untilMs, isAnother: false }
  const pauseMs = Math.min(PAUSE_MS_MAX, PAUSE_MS_FIRST * 2 ** count)
  return { count: count + 1, untilMs: nowMs + pauseMs, isAnother: true }
}

const troubleWith = (reason: string): string => `mint-server:${reason}`
