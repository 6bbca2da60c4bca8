import { Clock, Context, Effect, Layer } from "effect"

/** The first pause after trouble of the environment, and the longest. */
const PAUSE_MS_FIRST = 5_000
const PAUSE_MS_MAX = 60_000

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
  }
>()("ai-mint-executor/wallet/Outage") {
  static readonly layer = Layer.sync(Outage, () => {
    let pauses = 0
    let untilMs = 0
    return Outage.of({
      // Many wallets fail in the same moment: only a failure after the pause makes the next one longer.
      failed: Effect.map(Clock.currentTimeMillis, (nowMs) => {
        if (nowMs >= untilMs) untilMs = nowMs + Math.min(PAUSE_MS_MAX, PAUSE_MS_FIRST * 2 ** pauses++)
        return untilMs - nowMs
      }),
      over: Effect.sync(() => {
        pauses = 0
        untilMs = 0
      })
    })
  })
}
