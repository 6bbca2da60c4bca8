import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer, Redacted } from "effect"
import { HttpServer } from "effect/http"
import * as ApiServer from "../../src/api/server.ts"
import type { SettingsShape } from "../../src/config/Settings.ts"
import { atWork, casesIn } from "../operator/given.ts"
import { settings } from "../support/settings.ts"

export const TOKEN = "a-token-of-more-than-16-chars"

export const withToken: Partial<SettingsShape> = { opsToken: Redacted.make(TOKEN) }

export interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
  /** Undefined where it is no JSON. */
  readonly json: any
  readonly headers: Headers
}

export interface Ask {
  readonly method?: string
  readonly body?: unknown
  readonly headers?: Record<string, string>
  /** `undefined`: the right one. */
  readonly token?: string | null
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The API over a real socket, on whatever the test has given. */
export const serving = Effect.fnUntraced(function* (changes: Partial<SettingsShape> = {}) {
  const layer = ApiServer.layer.pipe(
    Layer.provide(settings({ opsPort: 0, ...changes })),
    Layer.provide(NodeServices.layer),
    Layer.provide(NodeCrypto.layerSecureRandom)
  )
  const context = yield* Layer.build(Layer.fresh(layer))
  const { address } = yield* HttpServer.HttpServer.pipe(Effect.provideContext(context))
  const url = HttpServer.formatAddress(address)
  const ask = (path: string, { method, body, headers = {}, token }: Ask = {}) =>
    Effect.promise(async (signal): Promise<Answer> => {
      const bearer = token === null ? {} : { authorization: `Bearer ${token ?? TOKEN}` }
      const json = body === undefined ? {} : { "content-type": "application/json" }
      const response = await fetch(`${url}${path}`, {
        method: method ?? (body === undefined ? "GET" : "POST"),
        headers: { ...bearer, ...json, ...headers },
        signal,
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
      })
      const text = await response.text()
      return {
        status: response.status,
        type: response.headers.get("content-type") ?? "",
        text,
        json: parse(text),
        headers: response.headers
      }
    })
  return { url, ask }
})

/** An operator at the production wiring, whose API asks for a token. */
export const atWorkWithToken = (changes: Partial<SettingsShape> = {}) => atWork({ ...withToken, ...changes })

/** Of an API that asks for a token. */
export const stories = (it: Parameters<typeof casesIn>[0]) => ({ served: casesIn(it, atWorkWithToken()) })
