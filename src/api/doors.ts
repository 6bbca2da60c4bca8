import type { Redacted } from "effect"
import type { HttpServerRequest } from "effect/http"
import { isLoopback, type SettingsShape } from "../config/Settings.ts"
import type { Permission } from "../domain/Scope.ts"
import { ROOT } from "../operator/Caller.ts"

/** A token of the settings, and what it allows. */
export interface Token {
  readonly key: "OPS_TOKEN" | "V1_TOKEN"
  readonly value: Redacted.Redacted
  readonly may: ReadonlySet<Permission>
}

/** What a request without a key needs to be let in: one of these tokens, or none; `Closed` lets none in, with a key or not. */
export type Door =
  | { readonly _tag: "Token"; readonly tokens: ReadonlyArray<Token> }
  | { readonly _tag: "Open" }
  | { readonly _tag: "Closed" }

const opsTokens = ({ opsToken }: SettingsShape): ReadonlyArray<Token> =>
  opsToken === undefined ? [] : [{ key: "OPS_TOKEN", value: opsToken, may: ROOT }]

/** Without a token only a network with a sandbox is open, and only to this machine. */
export const doorOf = (settings: SettingsShape): Door => {
  const tokens = opsTokens(settings)
  if (tokens.length > 0) return { _tag: "Token", tokens }
  return settings.network.hasSandbox && isLoopback(settings.opsHost) ? { _tag: "Open" } : { _tag: "Closed" }
}

/** What v1.1's front end does for its people. */
const MAY_BY_V1: ReadonlySet<Permission> = new Set(["orders:read", "orders:cancel", "operate"])

/** The door of v1.1's routes: `V1_TOKEN` opens them and nothing else, and `OPS_TOKEN` opens them too. */
export const v1DoorOf = (settings: SettingsShape): Door => {
  const { v1Token } = settings
  if (v1Token === undefined) return doorOf(settings)
  return { _tag: "Token", tokens: [{ key: "V1_TOKEN", value: v1Token, may: MAY_BY_V1 }, ...opsTokens(settings)] }
}

/** Where no token is asked for, a page of another site must not be able to ask through the browser of this machine. */
export const isForeign = ({
  host = "",
  origin,
  "sec-fetch-site": site
}: HttpServerRequest.HttpServerRequest["headers"]) => {
  const { hostname = "" } = URL.parse(`http://${host}`) ?? {}
  if (!isLoopback(hostname) || site === "cross-site") return true
  return origin !== undefined && URL.parse(origin)?.host !== host
}
