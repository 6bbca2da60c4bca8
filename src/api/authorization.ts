import { Context, Effect, Layer, Redacted } from "effect"
import { HttpServerRequest } from "effect/http"
import { createHash, timingSafeEqual } from "node:crypto"
import { isLoopback, Settings, type SettingsShape } from "../config/Settings.ts"
import * as Log from "../ops/Log.ts"
import { tokenRefused } from "../ops/metrics.ts"
import { actorWords, CurrentActor } from "../operator/Operator.ts"
import { type Api, Authorization, OPERATOR_HEADER } from "./contract/Api.ts"
import { Forbidden, TooMany, Unauthorized } from "./contract/problems.ts"
import { GUESSES_MAX, makeGuesses } from "./guesses.ts"
import { clientAddress } from "./rates.ts"

/** A token, and the setting that it is of. */
interface Token {
  readonly key: "OPS_TOKEN" | "V1_TOKEN"
  readonly value: Redacted.Redacted
}

/** What a request needs to be let in: one of these tokens, or no token; `Closed` lets none in. */
export type Door =
  | { readonly _tag: "Token"; readonly tokens: ReadonlyArray<Token> }
  | { readonly _tag: "Open" }
  | { readonly _tag: "Closed" }

/** Without a token only a network with a sandbox is open, and only to this machine. */
export const doorOf = ({ opsToken, opsHost, network }: SettingsShape): Door => {
  if (opsToken !== undefined) return { _tag: "Token", tokens: [{ key: "OPS_TOKEN", value: opsToken }] }
  return network.hasSandbox && isLoopback(opsHost) ? { _tag: "Open" } : { _tag: "Closed" }
}

/** The door of v1.1's routes: `V1_TOKEN` opens them and nothing else, and `OPS_TOKEN` opens them too. */
const v1DoorOf = (settings: SettingsShape): Door => {
  const { v1Token, opsToken } = settings
  if (v1Token === undefined) return doorOf(settings)
  const own: Token = { key: "V1_TOKEN", value: v1Token }
  return { _tag: "Token", tokens: opsToken === undefined ? [own] : [own, { key: "OPS_TOKEN", value: opsToken }] }
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

/** Takes the same time for all texts: digests have one length. */
const isSame = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b))

/** Where no token is asked for, a page of another site must not be able to ask through the browser of this machine. */
const isForeign = ({ host = "", origin, "sec-fetch-site": site }: HttpServerRequest.HttpServerRequest["headers"]) => {
  const { hostname = "" } = URL.parse(`http://${host}`) ?? {}
  if (!isLoopback(hostname) || site === "cross-site") return true
  return origin !== undefined && URL.parse(origin)?.host !== host
}

const CLOSED = new Forbidden({
  detail:
    "Page, API and commands are off: set OPS_TOKEN where the executor runs, restart it, and send the token as Bearer token."
})
const FOREIGN = new Forbidden({
  detail: "Without OPS_TOKEN this answers this machine alone, and no page of another site."
})
const WRONG = new Unauthorized({ detail: "Send the token of OPS_TOKEN: `Authorization: Bearer <token>`." })
const GUESSING = new TooMany({
  detail: `${GUESSES_MAX} wrong tokens came from this address within a minute: no token of it is looked at until that minute is over.`
})

/** Who may come in: one for all routes, so that a guess at one counts at every other. */
export class Admission extends Context.Service<
  Admission,
  {
    /** By what the request comes in, in words: `OPS_TOKEN from 10.0.0.7`. */
    readonly admit: (
      routes: "ops" | "v1",
      token: string
    ) => Effect.Effect<string, Unauthorized | Forbidden | TooMany, HttpServerRequest.HttpServerRequest>
  }
>()("ai-mint-executor/api/authorization/Admission") {
  static readonly layer = Layer.effect(
    Admission,
    Effect.gen(function* () {
      const settings = yield* Settings
      const doors = { ops: doorOf(settings), v1: v1DoorOf(settings) }
      const checkToken = yield* makeCheckToken
      return Admission.of({
        admit: Effect.fnUntraced(function* (routes, given) {
          const door = doors[routes]
          if (door._tag === "Closed") return yield* CLOSED
          const { headers } = yield* HttpServerRequest.HttpServerRequest
          if (door._tag === "Open" && isForeign(headers)) return yield* FOREIGN
          const token = door._tag === "Open" ? "no token" : yield* checkToken(given, door.tokens)
          return `${token} from ${yield* clientAddress}${routes === "v1" ? ", by the routes of v1.1" : ""}`
        })
      })
    })
  )
}

/** The one group that `V1_TOKEN` opens. */
const V1_GROUP: keyof (typeof Api)["groups"] = "v1"

export const layer = Layer.effect(
  Authorization,
  Effect.map(Admission, ({ admit }) =>
    Authorization.of({
      bearer: Effect.fnUntraced(function* (route, { credential, group }) {
        const how = yield* admit(group.identifier === V1_GROUP ? "v1" : "ops", Redacted.value(credential))
        const { headers } = yield* HttpServerRequest.HttpServerRequest
        return yield* Effect.provideService(route, CurrentActor, actorWords(headers[OPERATOR_HEADER] ?? "", how))
      })
    })
  )
)

/** The key of the right token. Refuses a wrong one; notes it in metrics and log, and checks no further one of an address that guesses. */
const makeCheckToken = Effect.map(makeGuesses, (guesses) =>
  Effect.fnUntraced(function* (token: string, right: ReadonlyArray<Token>) {
    if (token === "") return yield* WRONG
    const who = yield* clientAddress
    const mayTry = yield* guesses.mayTry(who)
    // All of them are compared, so that the time tells nothing.
    const compared = right.map(({ key, value }) => ({ key, isSame: isSame(token, Redacted.value(value)) }))
    const match = compared.find((one) => one.isSame)
    if (mayTry && match !== undefined) return match.key
    yield* tokenRefused
    if (!mayTry) return yield* GUESSING
    yield* Log.warnOnce(`token ${who}`, `⚠️ A wrong token came from ${who}: nothing was answered`)
    if (yield* guesses.wrong(who, token))
      yield* Log.errorOnce(
        `guess ${who}`,
        `🚨 ${GUESSES_MAX} wrong tokens came from ${who} within a minute: it may be guessing. No token of it is looked at until that minute is over`
      )
    return yield* WRONG
  })
)
