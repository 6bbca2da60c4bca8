import { Layer } from "effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"

/**
 * For every `fetch` of this program, which follows redirects by default: another host would answer for the one that an
 * operator chose, and would get the requests, tokens and payments included. A redirect is an answer
 * that is no success.
 */
export const NO_REDIRECT = { redirect: "manual" } as const

/** `HttpClient` by `fetch`, without redirects. */
export const httpClient = FetchHttpClient.layer.pipe(
  Layer.provide(Layer.succeed(FetchHttpClient.RequestInit, NO_REDIRECT))
)
