import { Cause, type Clock, Effect, type Exit, Metric } from "effect"
import type { RequestKind } from "../domain/RequestLimit.ts"
import { type Minter, NoOffer, type NoWord } from "./Minter.ts"

/** Seconds. A payment is settled on chain before it is answered; `MINT_TIMEOUT` is a minute. */
const BOUNDARIES = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60]

const requests = Metric.counter("ai_mint_mint_server_requests_total", {
  description: "Requests to the mint server by kind and by what came of them",
  incremental: true
})

const durations = Metric.histogram("ai_mint_mint_server_duration_seconds", {
  description: "How long the mint server took for a request, with any answer or none",
  boundaries: BOUNDARIES
})

/** The outcomes of each kind of request, except a defect or an interruption. */
const OUTCOMES: Readonly<Record<RequestKind, ReadonlyArray<string>>> = {
  quote: ["offer", ...NoOffer.fields.reason.literals],
  pay: ["Accepted", "Refused", "Unclear"],
  follow: ["said", "nothing", "Unavailable"]
}

/** Each is zero from the start: else a scrape would not see the first refusal as an increase. */
export const requestsBegan = (asks: ReadonlyArray<RequestKind>): Effect.Effect<void> =>
  Effect.forEach(
    asks.flatMap((kind) => OUTCOMES[kind].map((outcome) => ({ kind, outcome }))),
    (labels) => Metric.update(Metric.withAttributes(requests, labels), 0),
    { discard: true }
  )

/** How a request ended: `said` names the answer; else why there was no offer, or that it was interrupted. */
const outcomeOf = <A>(exit: Exit.Exit<A, NoOffer | NoWord>, said: (answer: A) => string): string => {
  if (exit._tag === "Success") return said(exit.value)
  const failed = exit.cause.reasons.find(Cause.isFailReason)
  if (failed !== undefined) return failed.error.reason
  return Cause.hasInterruptsOnly(exit.cause) ? "Interrupted" : "Defect"
}

const timed = <A, E extends NoOffer | NoWord>(
  kind: RequestKind,
  said: (answer: A) => string,
  asking: Effect.Effect<A, E>
) =>
  Effect.clockWith((clock: Clock.Clock) => {
    const startNanos = clock.monotonicTimeNanosUnsafe()
    return Effect.onExit(asking, (exit) => {
      const seconds = Number(clock.monotonicTimeNanosUnsafe() - startNanos) / 1e9
      return Effect.andThen(
        Metric.update(Metric.withAttributes(requests, { kind, outcome: outcomeOf(exit, said) }), 1),
        Metric.update(Metric.withAttributes(durations, { kind }), seconds)
      )
    })
  })

/**
 * The same minter, with each request counted and timed. `asks` are the kinds of which its protocol asks the server:
 * what it answers itself is no request.
 */
export const measureMinter = (minter: Minter["Service"], asks: ReadonlyArray<RequestKind>): Minter["Service"] => {
  const { quote, pay, follow } = minter
  return {
    ...minter,
    quote: asks.includes("quote") ? (order) => timed("quote", () => "offer", quote(order)) : quote,
    pay: (...payment) => timed("pay", ({ _tag }) => _tag, pay(...payment)),
    follow: asks.includes("follow")
      ? (reference) => timed("follow", (said) => (said === undefined ? "nothing" : "said"), follow(reference))
      : follow
  }
}
