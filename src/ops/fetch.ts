import { Layer } from "effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"

/**
 * For every `fetch` of this program, which follows redirects unless it is told not to: another host would speak for the
 * one that an operator chose, and be shown what is asked, tokens and payments included. A redirect is an answer with a
 * status that is no success.
 */
export const NO_REDIRECT = { redirect: "manual" } as const

/** `HttpClient` by `fetch`, without redirects. */
export const httpClient = FetchHttpClient.layer.pipe(
  Layer.provide(Layer.succeed(FetchHttpClient.RequestInit, NO_REDIRECT))
)
