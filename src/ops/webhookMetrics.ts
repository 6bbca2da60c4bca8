import { Clock, Effect, Metric } from "effect"

export type AttemptOutcome = "delivered" | "failed" | "given_up"

const OUTCOMES: ReadonlyArray<AttemptOutcome> = ["delivered", "failed", "given_up"]

const attempts = Metric.counter("ai_mint_webhook_attempts_total", {
  description: "Attempts to deliver a message to a webhook by how they ended; given_up: the last one failed",
  incremental: true
})

const waiting = Metric.gauge("ai_mint_webhook_waiting", {
  description: "Messages that wait to be delivered to a webhook, in all executors"
})

const dueAge = Metric.gauge("ai_mint_webhook_oldest_due_age_seconds", {
  description: "For how long the longest overdue message to a webhook has been due; 0 where none is"
})

export const attemptEnded = (outcome: AttemptOutcome): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(attempts, { outcome }), 1)

/** Each outcome is there before the first: else a scrape would not see the first one as an increase. */
export const attemptsBegan: Effect.Effect<void> = Effect.forEach(
  OUTCOMES,
  (outcome) => Metric.update(Metric.withAttributes(attempts, { outcome }), 0),
  { discard: true }
)

export const backlogNow = (backlog: {
  readonly waiting: number
  readonly dueSinceMs: number | undefined
}): Effect.Effect<void> =>
  Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    const age = backlog.dueSinceMs === undefined ? 0 : Math.max(0, nowMs - backlog.dueSinceMs) / 1_000
    yield* Metric.update(waiting, backlog.waiting)
    yield* Metric.update(dueAge, age)
  })
