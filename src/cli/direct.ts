import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import { Effect, Layer } from "effect"
import { Readiness } from "../checks/Readiness.ts"
import { database, state, tools } from "../App.ts"
import { Settings, type SettingsShape } from "../config/Settings.ts"
import { CurrentCaller, rootCaller } from "../operator/Caller.ts"
import * as OperatorDirect from "../operator/OperatorDirect.ts"
import { Status } from "../operator/Status.ts"
import { layerTo } from "../ops/Logger.ts"
import { directActor, Io, NotHere } from "./io.ts"

/** Lines of the log are no report. */
const log = Layer.unwrap(
  Effect.map(Io, ({ err }) => layerTo({ write: (lines) => err(lines.trimEnd()), colour: false }))
)

/** Straight on the database and the chain of the settings, in the name of the user of the shell. */
export const layer = Layer.unwrap(
  Effect.as(
    Effect.flatMap(Settings, checkReach),
    OperatorDirect.layer.pipe(
      Layer.provide(Status.layer),
      Layer.provide(Readiness.layer),
      Layer.provide(Layer.merge(tools.pipe(Layer.provide(database)), NodeCrypto.layerSecureRandom)),
      Layer.merge(Layer.succeed(CurrentCaller, rootCaller(directActor()))),
      Layer.provideMerge(Layer.merge(log, state))
    )
  )
)

/** On the local network, what the settings do not name is held by the process that runs the sandbox. */
function checkReach({ network, databaseUrl, rpcUrls }: SettingsShape) {
  if (!network.hasSandbox) return Effect.void
  if (databaseUrl === undefined) return Effect.fail(sandboxOwns("DATABASE_URL", "the embedded database"))
  return rpcUrls.length === 0 ? Effect.fail(sandboxOwns("LOCAL_RPC_URL", "its chain")) : Effect.void
}

const sandboxOwns = (key: string, what: string): NotHere =>
  new NotHere({
    message:
      `${key} is not set: ${what} belongs to the sandbox that runs, and no other program can use it. ` +
      "Leave --direct out, with the sandbox running (npm start)."
  })
