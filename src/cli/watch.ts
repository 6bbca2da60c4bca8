import { Effect, Schedule, Stream } from "effect"
import type { EventReport } from "../operator/reports/status.ts"
import { LOOK } from "./client/ask.ts"
import { Failed } from "./client/Failed.ts"
import type { Kit } from "./Kit.ts"

/** How often an executor that went away is looked for: it may be starting for minutes. */
const AGAIN_EVERY = "1 second"

/** It speaks every 10 seconds. When nothing came for so long, nobody is there, whatever the connection says. */
const SILENCE_MAX = "30 seconds"

/**
 * Tells events for ever: at least once each, in order. Whoever is not there at the beginning is not waited for; one who
 * goes away is, and is asked for what happened meanwhile.
 */
export const watch = <E>({ ways, io }: Kit<E>, show: (event: EventReport) => string) => {
  const seen: { id?: number } = {}

  const listen = Effect.fnUntraced(function* (greet: Effect.Effect<void>) {
    const headers = seen.id === undefined ? {} : { "last-event-id": seen.id }
    const events = yield* ways.ask(({ control }) => control.events({ headers }), LOOK)
    yield* greet
    yield* events.pipe(
      Stream.timeout(SILENCE_MAX),
      Stream.runForEach((event) =>
        Effect.sync(() => {
          if (event.event !== "ledger") return
          // One that comes late has a smaller number: what came after it was heard.
          seen.id = Math.max(seen.id ?? 0, event.data.id)
          io.out(show(event.data))
        })
      ),
      // However it broke off: what was not heard is asked for again.
      Effect.catchTags({ HttpClientError: () => Effect.void, Retry: () => Effect.void }),
      Effect.catch(() => Effect.fail(unknownEvents))
    )
  })

  const again = Effect.gen(function* () {
    io.err("🔌 The connection to the executor is lost. Waiting until it is back...")
    yield* Effect.sleep(AGAIN_EVERY)
    const found = Effect.sync(() => io.err("🔌 The executor is back."))
    yield* Effect.retry(listen(found), { schedule: Schedule.spaced(AGAIN_EVERY), while: comesBack })
  })
  return Effect.gen(function* () {
    io.expectInterruption()
    yield* listen(Effect.sync(() => io.err("👀 Watching what happens. Ctrl-C ends it.")))
    return yield* Effect.forever(again)
  })
}

const comesBack = (error: unknown): boolean =>
  error instanceof Failed && ["Away", "Late", "Busy"].includes(error.reason)

const unknownEvents = new Failed({
  reason: "Broken",
  message: "The executor tells events in a way unknown here: is it of another version?"
})
