import { Effect, Schedule, Schema, Stream } from "effect"
import * as Command from "effect/cli/Command"
import { Operator, Unanswered } from "../../operator/Operator.ts"
import { EventReport, StatusReport } from "../../operator/reports/status.ts"
import { ExecutorClient, LOOK } from "../client/ExecutorClient.ts"
import * as Input from "../flags.ts"
import { Io } from "../io.ts"
import { onExecutor, onOperator } from "../layers.ts"
import { jsonLineOf, printer } from "../print.ts"
import { eventLine } from "../words/event.ts"
import { coloured, plain } from "../words/paint.ts"
import { directStatusWords, statusWords } from "../words/status.ts"

/** How often an executor that went away is looked for: it may be starting for minutes. */
const AGAIN_EVERY = "1 second"

/** A beat comes every 10 seconds. When nothing came for so long, the executor is gone, even if the connection is open. */
const SILENCE_MAX = "30 seconds"

/**
 * Prints events for ever: at least once each, in order. An executor that is away at the beginning is not waited for; one
 * that goes away later is, and is asked for what happened meanwhile.
 */
const watch = Effect.fnUntraced(function* (show: (event: EventReport) => string) {
  const io = yield* Io
  const { ask } = yield* ExecutorClient
  const seen: { id?: number } = {}

  const listen = Effect.fnUntraced(function* (greet: Effect.Effect<void>) {
    const headers = seen.id === undefined ? {} : { "last-event-id": seen.id }
    const events = yield* ask(({ control }) => control.events({ headers }), LOOK)
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
  io.expectInterruption()
  yield* listen(Effect.sync(() => io.err("👀 Watching what happens. Ctrl-C ends it.")))
  return yield* Effect.forever(again)
})

const comesBack = (error: unknown): boolean =>
  error instanceof Unanswered && ["Away", "Late", "Busy", "Unavailable"].includes(error.reason)

const unknownEvents = new Unanswered({
  reason: "Broken",
  message: "The executor tells events in a way unknown here: is it of another version?"
})

const encode = Schema.encodeSync(EventReport)

export const watchCommand = Command.make(
  "watch",
  { json: Input.json },
  Effect.fnUntraced(function* ({ json }) {
    const paint = (yield* Io).colour ? coloured : plain
    yield* watch((event) => (json ? jsonLineOf(encode(event)) : eventLine(event, { paint })))
  })
).pipe(
  onExecutor,
  Command.withDescription("Tells what happens, as it happens, until Ctrl-C. With --json a line is one JSON object."),
  Command.withExamples([
    { command: "ai-mint watch" },
    { command: "ai-mint watch --json | jq 'select(.kind == \"task.completed\")'" }
  ])
)

const printStatus = printer(StatusReport, statusWords)
const printDirect = printer(StatusReport, directStatusWords)

const DIRECT = "Straight from database and chain: whether an executor runs is not looked at (ai-mint doctor does)."

export const statusCommand = Command.make(
  "status",
  { direct: Input.direct, json: Input.json },
  Effect.fnUntraced(function* ({ direct, json }) {
    const report = yield* (yield* Operator).status
    yield* direct ? printDirect(report, json) : printStatus(report, json)
    if (direct) (yield* Io).err(DIRECT)
  })
).pipe(
  onOperator,
  Command.withDescription("What runs now: is all well, orders and money by state, and what needs a look.")
)
