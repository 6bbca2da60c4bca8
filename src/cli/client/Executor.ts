import { Effect, Layer, Option, Redacted } from "effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import { Api, Authorization, OPERATOR_HEADER } from "../../api/contract/Api.ts"
import type { SettingsShape } from "../../config/Settings.ts"
import { operatorName } from "../../operator/Actor.ts"
import { httpClient } from "../../ops/fetch.ts"
import { osUser } from "../osUser.ts"

/** The running executor, as its contract has it. */
export type Executor = HttpApiClient.ForApi<typeof Api>

/** Where it listens, of the settings. */
export type Place = Pick<SettingsShape, "opsHost" | "opsPort" | "opsToken">

/** Who listens at every address is asked at the loopback. */
const ANYWHERE: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" }

/** `http://127.0.0.1:4022`. */
export const urlOf = ({ opsHost, opsPort }: Place): string => {
  const host = ANYWHERE[opsHost] ?? opsHost
  return `http://${host.includes(":") ? `[${host}]` : host}:${opsPort}`
}

/** Its client. Asks nothing yet; `onAsk` runs whenever something is about to be sent. */
export const makeExecutor = (place: Place, onAsk: () => void): Effect.Effect<Executor> =>
  HttpApiClient.make(Api, {
    baseUrl: urlOf(place),
    transformClient: (client) =>
      HttpClient.mapRequest(client, HttpClientRequest.setHeader(OPERATOR_HEADER, operatorName(osUser()))).pipe(
        HttpClient.tapRequest(() => Effect.sync(onAsk))
      )
  }).pipe(Effect.provide(Layer.merge(httpClient, withToken(place))))

const withToken = ({ opsToken }: Place) =>
  HttpApiMiddleware.layerClient(Authorization, ({ request, next }) =>
    next(
      Option.match(opsToken, {
        onNone: () => request,
        onSome: (token) => HttpClientRequest.bearerToken(request, Redacted.value(token))
      })
    )
  )
