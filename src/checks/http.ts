import { ByteSize, Clock, Duration, Effect, Option, Redacted, Schema } from "effect"
import { HttpClient, HttpClientRequest, HttpIncomingMessage } from "effect/http"

/** Nobody answered. The message tells how: a system code such as `ECONNREFUSED`, or the limit that ran out. */
export class NoAnswer extends Schema.TaggedError<NoAnswer>()("NoAnswer", { message: Schema.String }) {}

export interface HttpAnswer {
  readonly status: number
  /** Empty where it broke off or is larger than `BODY_SIZE_MAX`. */
  readonly body: string
  readonly ms: number
}

/** What is asked for here is small; a server that is not the one that is meant may send anything. */
const BODY_SIZE_MAX = ByteSize.kibibytes(64)

/** Asks once. Whatever the status is, it is an answer; a redirect is one too, and not followed. */
export const get = Effect.fnUntraced(function* (url: string, limit: Duration.Duration, token?: Redacted.Redacted) {
  const http = yield* HttpClient.HttpClient
  const startMs = yield* Clock.currentTimeMillis
  const request = HttpClientRequest.get(url)
  const asked = token === undefined ? request : HttpClientRequest.bearerToken(request, Redacted.value(token))
  const { status, body } = yield* http.execute(asked).pipe(
    Effect.mapError(({ cause, reason }) => new NoAnswer({ message: codeOf(cause) ?? reason._tag })),
    Effect.flatMap(({ status, text }) => Effect.map(Effect.option(text), (body) => ({ status, body }))),
    Effect.provideService(HttpIncomingMessage.MaxBodySize, BODY_SIZE_MAX),
    Effect.timeoutOrElse({
      duration: limit,
      orElse: () => new NoAnswer({ message: `no answer within ${Duration.format(limit)}` })
    })
  )
  const endMs = yield* Clock.currentTimeMillis
  return { status, body: Option.getOrElse(body, () => ""), ms: endMs - startMs } satisfies HttpAnswer
})

const codeOf = (cause: unknown): string | undefined =>
  cause instanceof Error && "code" in cause ? String(cause.code) : undefined
