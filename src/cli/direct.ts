import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import { Effect, Layer } from "effect"
import { database, tools } from "../App.ts"
import { layerTo } from "../ops/Logger.ts"
import type { Io } from "./io.ts"
import type { Tools } from "./tell.ts"

/** Lines of the log are no report. */
const logTo = ({ err }: Io) => layerTo({ write: (lines) => err(lines.trimEnd()), colour: false })

/** Carries a command out straight on the database and the chain of the settings, beside an executor or without one. */
export const performDirectly =
  (io: Io) =>
  <A, E>(operation: Effect.Effect<A, E, Tools>) =>
    Effect.provide(
      operation,
      Layer.merge(tools.pipe(Layer.provide(database)), NodeCrypto.layerSecureRandom).pipe(Layer.provideMerge(logTo(io)))
    )
