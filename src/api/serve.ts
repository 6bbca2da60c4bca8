import { Cause, Duration, Effect, Schedule } from "effect"
import { HttpServer, type HttpServerError } from "effect/http"
import { Settings, type SettingsShape } from "../config/Settings.ts"
import * as Log from "../ops/Log.ts"
import { type Door, doorOf } from "./doors.ts"
import { layer } from "./server.ts"

/** How soon a port that is taken is tried again: at a deploy the one before may still have it. */
const AGAIN_AFTER = Duration.seconds(10)

/**
 * Serves for ever. Without it minting goes on all the same, so a port that is taken is logged, and tried again until it is
 * free.
 */
export const serve = Effect.gen(function* () {
  const server = yield* HttpServer.HttpServer
  const settings = yield* Settings
  yield* Log.startup(`🖥️ Page and API: ${HttpServer.formatAddress(server.address)}/ (${doorWords(settings)})`)
  return yield* Effect.never
}).pipe(
  Effect.provide(layer, { local: true }),
  Effect.tapErrorTag("ServeError", (error) =>
    Effect.flatMap(Settings, ({ opsHost, opsPort }) =>
      Log.warnOnce(
        "serve",
        `⚠️ No page and no API: ${opsHost}:${opsPort} cannot be listened at (${listenErrorCode(error)}). Minting goes on`
      )
    )
  ),
  Effect.retry(Schedule.spaced(AGAIN_AFTER)),
  // A fault here stops no order and no payment.
  Effect.catchCause((cause) =>
    Cause.hasInterruptsOnly(cause)
      ? Effect.failCause(cause as Cause.Cause<never>)
      : Effect.andThen(Log.error("🚨 Page and API ended in a defect. Minting goes on", { cause }), Effect.never)
  )
)

const DOORS: Readonly<Record<Door["_tag"], string>> = {
  Token: "asks for OPS_TOKEN",
  Open: "open to this machine",
  Closed: "health and metrics only: OPS_TOKEN is not set"
}

/** To whom it opens. */
export const doorWords = (settings: SettingsShape): string => {
  const door = doorOf(settings)._tag
  if (settings.v1Token === undefined) return DOORS[door]
  return door === "Closed"
    ? "health, metrics and, with V1_TOKEN, the routes of v1.1: OPS_TOKEN is not set"
    : `${DOORS[door]}; the routes of v1.1 ask for V1_TOKEN${door === "Token" ? " or it" : ""}`
}

const listenErrorCode = ({ cause }: HttpServerError.ServeError): string =>
  cause instanceof Error && "code" in cause ? String(cause.code) : String(cause)
