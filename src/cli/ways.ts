import type * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect } from "effect"
import * as LoadSettings from "../config/load.ts"
import { Settings } from "../config/Settings.ts"
import { makeAsk } from "./client/ask.ts"
import { Failed } from "./client/Failed.ts"
import type { Io } from "./io.ts"
import type { Ways } from "./Kit.ts"
import { payOrder, resetSandbox } from "./sandboxWays.ts"

/** What fails on the way, and says so in words. */
interface Told {
  readonly _tag: string
  readonly message: string
}

type Services = NodeServices.NodeServices

/** The settings of this machine are read when a way is taken, and not before: help needs none. */
const settings = LoadSettings.layer({ terminal: false })

/**
 * The real ways, of the settings of this machine. The database, the chain and the sandbox are loaded only where they are
 * needed: that is most of the time until the first line.
 */
export const makeWays = (
  io: Io,
  provide: <A, E>(work: Effect.Effect<A, E, Services>) => Effect.Effect<A, E>
): Ways<Told> => ({
  ask: (question, terms) =>
    provide(
      Effect.gen(function* () {
        const place = yield* Settings
        if (place.opsPort === 0) return yield* nowhere
        return yield* makeAsk(place)(question, terms)
      }).pipe(Effect.provide(settings))
    ),
  direct: (operation) =>
    provide(
      Effect.flatMap(
        Effect.promise(() => import("./direct.ts")),
        ({ performDirectly }) => performDirectly(io)(operation)
      ).pipe(Effect.provide(settings))
    ),
  examine: provide(
    Effect.flatMap(
      Effect.promise(() => import("../checks/doctor.ts")),
      ({ examine }) => examine
    )
  ),
  migrate: (options) =>
    provide(
      Effect.flatMap(
        Effect.promise(() => import("../checks/migrations.ts")),
        ({ migrateDatabase }) => migrateDatabase(options)
      ).pipe(Effect.provide(settings))
    ),
  payOrder,
  resetSandbox: resetSandbox(io.err)
})

const nowhere = new Failed({
  reason: "Away",
  message: "OPS_PORT is 0, which is any port: set it to the one that the executor's log names (Page and API)."
})
