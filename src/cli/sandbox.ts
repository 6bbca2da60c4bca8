import { Effect, Option, Runtime, Schema } from "effect"
import type { SettingsShape } from "../config/Settings.ts"
import { Ended, EXIT, type Io } from "./io.ts"

/** As long as a reconciliation of a sandbox may take. */
const ANSWER_TIMEOUT = "2 minutes"

/** What the running sandbox says to a command: `POST /sandbox/commands`. */
const Answer = Schema.Struct({ code: Schema.Int, stdout: Schema.String, stderr: Schema.String })

/** The command could not be given to a sandbox. The message says what to do. */
class NoAnswer extends Schema.TaggedError<NoAnswer>()("NoAnswer", { message: Schema.String }) {
  override readonly [Runtime.errorExitCode] = EXIT.settings
}

/** Database and chain of the local network belong to the process that runs it, unless the settings name others. */
export const sandboxIsAsked = ({ network, databaseUrl, rpcUrls }: SettingsShape): boolean =>
  network.name === "local" && (Option.isNone(databaseUrl) || rpcUrls.length === 0)

/** Has the running sandbox carry the command out, and says what it says. */
export const performInSandbox = Effect.fnUntraced(function* (args: ReadonlyArray<string>, io: Io) {
  const { DATA_DIR, findSandbox } = yield* Effect.promise(() => import("../sandbox/sandboxFile.ts"))
  const { serverUrl } = yield* Effect.mapError(findSandbox(DATA_DIR), ({ message }) => new NoAnswer({ message }))
  const url = `${serverUrl}/sandbox/commands`
  const text = yield* Effect.tryPromise({
    try: async (signal) => {
      const headers = { "content-type": "application/json" }
      const response = await fetch(url, { method: "POST", headers, body: JSON.stringify({ args }), signal })
      return response.text()
    },
    catch: () => new NoAnswer({ message: `The sandbox does not answer at ${url}. Its log says more.` })
  }).pipe(
    Effect.timeoutOrElse({
      duration: ANSWER_TIMEOUT,
      orElse: () => Effect.fail(new NoAnswer({ message: `No answer in ${ANSWER_TIMEOUT} from ${url}.` }))
    })
  )
  const answer = yield* Schema.decodeEffect(Schema.fromJsonString(Answer))(text).pipe(
    Effect.mapError(() => new NoAnswer({ message: `${url} answers in a way unknown here: ${text.slice(0, 200)}` }))
  )
  if (answer.stdout !== "") io.out(answer.stdout)
  if (answer.stderr !== "") io.err(answer.stderr)
  return yield* new Ended({ code: answer.code })
})
