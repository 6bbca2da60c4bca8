import { Clock, Context, Effect, Layer } from "effect"
import type { Block } from "../domain/Block.ts"
import * as Metrics from "../ops/metrics.ts"

/** The first pause after trouble of the environment, and the longest. */
const PAUSE_MS_FIRST = 5_000
const PAUSE_MS_MAX = 60_000

/** A chain that has made no block for so long stands still, or its node does: what is signed by its clock may lapse. */
export const STANDSTILL_MS = 20_000

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
  }
>()("ai-mint-executor/wallet/Outage") {
  static readonly layer = Layer.sync(Outage, () => {
    let pauses = 0
    let untilMs = 0
    let newest = { number: -1n, sinceMs: 0 }
    return Outage.of({
      // Many wallets fail in the same moment: only a failure after the pause makes the next one longer.
      failed: Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
        const isAnother = nowMs >= untilMs
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
        })
    })
  })
}
