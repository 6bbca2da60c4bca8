import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import { Effect, Layer, Option } from "effect"
import { database, state, tools } from "../App.ts"
import { Settings, type SettingsShape } from "../config/Settings.ts"
import { CurrentActor } from "../operator/Actor.ts"
import { layerTo } from "../ops/Logger.ts"
import { type Io, NotHere } from "./io.ts"
import type { Tools } from "./Kit.ts"
import { directActor } from "./osUser.ts"

/** Lines of the log are no report. */
const logTo = ({ err }: Io) => layerTo({ write: (lines) => err(lines.trimEnd()), colour: false })

/** Carries a command out straight on the database and the chain of the settings, beside an executor or without one. */
export const performDirectly =
  (io: Io) =>
  <A, E>(operation: Effect.Effect<A, E, Tools>) =>
    Effect.andThen(
      Effect.flatMap(Settings, checkReach),
      Effect.provide(
        Effect.provideService(operation, CurrentActor, directActor()),
        Layer.merge(tools.pipe(Layer.provide(database)), NodeCrypto.layerSecureRandom).pipe(
          Layer.provideMerge(Layer.merge(logTo(io), state))
        )
      )
    )

/** On the local network, what the settings do not name is held by the process that runs the sandbox. */
const checkReach = ({ network, databaseUrl, rpcUrls }: SettingsShape) => {
  if (!network.hasSandbox) return Effect.void
  if (Option.isNone(databaseUrl)) return Effect.fail(sandboxOwns("DATABASE_URL", "the embedded database"))
  return rpcUrls.length === 0 ? Effect.fail(sandboxOwns("LOCAL_RPC_URL", "its chain")) : Effect.void
}

const sandboxOwns = (key: string, what: string): NotHere =>
  new NotHere({
    message:
      `${key} is not set: ${what} belongs to the sandbox that runs, and nobody else can use it. ` +
      "Leave --direct out, with the sandbox running (npm start)."
  })
