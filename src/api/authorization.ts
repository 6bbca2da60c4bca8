import { Effect, Layer, Option, Redacted } from "effect"
import { HttpServerRequest } from "effect/http"
import { createHash, timingSafeEqual } from "node:crypto"
import { Settings, type SettingsShape } from "../config/Settings.ts"
import { Authorization } from "./contract/Api.ts"
import { Forbidden, Unauthorized } from "./contract/problems.ts"
import { makeWrongTokens } from "./rates.ts"

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/

export const isLoopback = (host: string): boolean => LOOPBACK.test(host)

/** What tells whether somebody may come in. */
export type Door =
  | { readonly _tag: "Token"; readonly token: Redacted.Redacted }
  | { readonly _tag: "Open" }
  | { readonly _tag: "Closed" }

/** Without a token only the local network is open, and only to this machine. */
export const doorOf = ({ opsToken, opsHost, network }: SettingsShape): Door => {
  if (Option.isSome(opsToken)) return { _tag: "Token", token: opsToken.value }
  return network.name === "local" && isLoopback(opsHost) ? { _tag: "Open" } : { _tag: "Closed" }
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

/** Takes as long whatever the two texts have in common: digests are of one length. */
const isSame = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b))

/** Where no token is asked for, a page of another site must not be able to ask through the browser of this machine. */
const isForeign = ({ host = "", origin, "sec-fetch-site": site }: HttpServerRequest.HttpServerRequest["headers"]) => {
  const { hostname = "" } = URL.parse(`http://${host}`) ?? {}
  if (!isLoopback(hostname) || site === "cross-site") return true
  return origin !== undefined && URL.parse(origin)?.host !== host
}

const CLOSED = new Forbidden({
  detail: "This is off: set OPS_TOKEN and restart the executor, and send it as Bearer token."
})
const FOREIGN = new Forbidden({
  detail: "Without OPS_TOKEN this answers this machine alone, and no page of another site."
})
const WRONG = new Unauthorized({ detail: "Send the token of OPS_TOKEN: `Authorization: Bearer <token>`." })

export const layer = Layer.effect(
  Authorization,
  Effect.gen(function* () {
    const door = doorOf(yield* Settings)
    const countWrong = yield* makeWrongTokens
    return Authorization.of({
      bearer: Effect.fnUntraced(function* (route, { credential }) {
        if (door._tag === "Closed") return yield* CLOSED
        if (door._tag === "Open") {
          const { headers } = yield* HttpServerRequest.HttpServerRequest
          return isForeign(headers) ? yield* FOREIGN : yield* route
        }
        if (isSame(Redacted.value(credential), Redacted.value(door.token))) return yield* route
        if (Redacted.value(credential) !== "") yield* countWrong
        return yield* WRONG
      })
    })
  })
)
