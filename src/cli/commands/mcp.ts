import { Effect, Layer, Logger } from "effect"
import * as Command from "effect/cli/Command"
import { CurrentCaller, rootCaller } from "../../operator/Caller.ts"
import { Io } from "../io.ts"
import { onExecutor } from "../layers.ts"

/** Standard output carries the protocol and nothing else: what the server logs goes to standard error. */
const logToStandardError = Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)])

export const mcpCommand = Command.make(
  "mcp",
  {},
  Effect.fnUntraced(function* () {
    ;(yield* Io).expectInterruption()
    const { layer } = yield* Effect.promise(() => import("../../api/mcp/stdio.ts"))
    // Whether a key may do what a tool does is the executor's to say, as for any other command.
    const caller = rootCaller("ai-mint mcp")
    yield* Layer.launch(layer).pipe(Effect.provide(logToStandardError), Effect.provideService(CurrentCaller, caller))
  })
).pipe(
  onExecutor,
  Command.withDescription(
    "An MCP server on standard input and output, for an agent that starts it: tools that order mints and follow them, through the running executor."
  ),
  Command.withExamples([{ command: "ai-mint mcp", description: "As an agent's configuration names it" }])
)
