import { Effect, Option } from "effect"
import { HttpServerRequest } from "effect/http"
import * as RateLimiter from "effect/persistence/RateLimiter"
import { TooMany } from "./contract/problems.ts"

/** For one address and second. A page asks twice a second at most; a front end behind a proxy asks for many people. */
export const READS_MAX = 300
export const CHANGES_MAX = 30

const makeLimit = Effect.map(
  RateLimiter.RateLimiter,
  (limiter) => (key: string, most: number, window: "1 second") =>
    limiter
      .consume({ key, limit: most, window, onExceeded: "fail" })
      .pipe(Effect.mapError(() => new TooMany({ detail: `More than ${most} requests in ${window}: wait a moment.` })))
)

/** The address of the client, as the socket has it: a header may say anything. */
export const clientAddress = Effect.map(HttpServerRequest.HttpServerRequest, ({ remoteAddress }) =>
  Option.getOrElse(remoteAddress, () => "?")
)

/** Limits the requests of each address. */
export const makeRateLimit = Effect.map(
  makeLimit,
  (limit) =>
    <A, E, R>(route: Effect.Effect<A, E, R>) =>
      Effect.gen(function* () {
        const { method } = yield* HttpServerRequest.HttpServerRequest
        const isRead = method === "GET" || method === "HEAD"
        yield* limit(
          `${isRead ? "read" : "change"} ${yield* clientAddress}`,
          isRead ? READS_MAX : CHANGES_MAX,
          "1 second"
        )
        return yield* route
      })
)
