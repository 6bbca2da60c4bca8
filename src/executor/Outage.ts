import { Clock, Context, Effect, Layer } from "effect"
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
  static readonly layer = Layer.sync(Outage, () => {
    let pauses = 0
    let untilMs = 0
    let newest = { number: -1n, sinceMs: 0 }
    const troubled = new Map<string, string>()
    const serverAnswered = (request: string) =>
      Effect.suspend(() => {
        const reason = troubled.get(request)
        troubled.delete(request)
        const isOver = reason !== undefined && ![...troubled.values()].includes(reason)
        return isOver ? Effect.asVoid(Incidents.close(troubleWith(reason))) : Effect.void
      })
    return Outage.of({
      // Many wallets fail in the same moment: only a failure after the pause makes the next one longer.
      failed: Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
        // No pause is longer: the clock was set back since that one was made.
        const isAnother = nowMs >= untilMs || untilMs - nowMs > PAUSE_MS_MAX
        if (isAnother) untilMs = nowMs + Math.min(PAUSE_MS_MAX, PAUSE_MS_FIRST * 2 ** pauses++)
        return Effect.as(Metrics.outageSeen(isAnother), untilMs - nowMs)
      }),
      over: Effect.suspend(() => {
        pauses = 0
        untilMs = 0
        return Metrics.outageOver
      }),
      standstillMs: ({ number }) =>
        Effect.map(Clock.currentTimeMillis, (nowMs) => {
          if (number > newest.number) newest = { number, sinceMs: nowMs }
          return nowMs - newest.sinceMs
        }),
      serverFailed: Effect.fnUntraced(function* (request, reason) {
        if (troubled.get(request) !== reason) yield* serverAnswered(request)
        for (const oldest of [...troubled.keys()].slice(0, Math.max(0, troubled.size + 1 - TROUBLED_MAX)))
          troubled.delete(oldest)
        troubled.set(request, reason)
        const words = `Minting waits for the mint server: ${reason}`
        yield* Incidents.raise(troubleWith(reason), words, SERVER_TROUBLE_MS)
      }),
      serverAnswered
    })
  })
}

const troubleWith = (reason: string): string => `mint-server:${reason}`
