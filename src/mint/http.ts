import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { ByteSize, Cause, Clock, Duration, Effect, Option, Schema } from "effect"
import {
  HttpClient,
  type HttpClientError,
  HttpClientRequest,
  type HttpClientResponse,
  HttpIncomingMessage
} from "effect/http"
import { Settings } from "../config/Settings.ts"
import * as Clocks from "../ops/Clocks.ts"
import type { Minter, PaymentAnswer } from "./Minter.ts"
import { plain, type Reply, strainOf, unclear } from "./reply.ts"

/** Bounds what one answer can cost. The largest honest one names 1000 mint transactions, 69 bytes each. */
const BODY_SIZE_MAX = ByteSize.kibibytes(128)

/** No answer, or none in HTTP. What the server did with a request that was sent is not known. */
export class NoReply extends Schema.TaggedError<NoReply>()("NoReply", {
  message: Schema.String,
  /** Whether the request may have reached the server. */
  isSent: Schema.Boolean
}) {}

/** Reported of a payment without an answer. */
const ASKING = "the chain is asked whether it was paid"

/** The connection was never made: nothing left. Node's codes for a connect or a look-up that failed. */
const UNREACHABLE = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "EAI_AGAIN"])

const noReply = (error: HttpClientError.HttpClientError): NoReply => {
  const { cause } = error
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : error.reason._tag
  const isSent = !UNREACHABLE.has(code)
  const message = isSent
    ? `connection to the mint server failed (${code})`
    : `mint server unreachable (${code}), nothing was sent`
  return new NoReply({ message, isSent })
}

/** The answer that stands for a failed request to pay. An interruption is the caller's, and does not get here. */
export const answerOfFailure = (cause: Cause.Cause<NoReply>): PaymentAnswer => {
  const error = Cause.squash(cause)
  if (error instanceof NoReply) {
    return { ...unclear(error.isSent ? `${error.message}, ${ASKING}` : error.message), trouble: "NoAnswer" }
  }
  return unclear(`fault in the executor while paying: ${plain(String(error))}`)
}

/** An answer to a payment, with what it says of the server. */
export const strained = (answer: PaymentAnswer, reply: Reply): Effect.Effect<PaymentAnswer> =>
  Effect.map(Clock.currentTimeMillis, (nowMs) =>
    answer._tag === "Unclear" ? { ...answer, ...strainOf(reply, nowMs) } : answer
  )

/** A body that breaks off or grows too large is an answer still: its status and headers are there. */
const readReply = ({ status, headers, text }: HttpClientResponse.HttpClientResponse): Effect.Effect<Reply> =>
  text.pipe(
    Effect.option,
    Effect.map((body) => ({ status, headers, body: Option.getOrUndefined(body) })),
    Effect.provideService(HttpIncomingMessage.MaxBodySize, BODY_SIZE_MAX)
  )

/**
 * Asks the mint server, where the URL of the request is a path behind `SERVER_URL`. A redirect is never followed: it
 * could carry a payment elsewhere.
 */
export const makeAsk = Effect.gen(function* () {
  const { serverUrl, mintTimeout } = yield* Settings
  const http = yield* HttpClient.HttpClient
  if (serverUrl === undefined) return yield* Effect.die(new Error("SERVER_URL is not set: there is no mint server"))
  const noAnswer = `no answer from the mint server within ${Duration.format(mintTimeout)}`

  /** One request, one connection, no retry: only the caller knows whether a repeat is safe. */
  return (request: HttpClientRequest.HttpClientRequest): Effect.Effect<Reply, NoReply> =>
    request.pipe(
      HttpClientRequest.prependUrl(serverUrl),
      HttpClientRequest.acceptJson,
      http.execute,
      Effect.tap(({ headers }) => Clocks.noteDate("the mint server", headers["date"])),
      Effect.mapError(noReply),
      Effect.flatMap(readReply),
      Effect.timeoutOrElse({ duration: mintTimeout, orElse: () => new NoReply({ message: noAnswer, isSent: true }) })
    )
})

/**
 * `node:http`. Of the three clients only it keeps `BODY_SIZE_MAX` (fetch and undici read a stream of
 * 655 MB to its end, and died of it), gives the code of a refused connection, and opens a connection for
 * each request: a payment never goes out on a kept one that the server is about to close.
 */
export const nodeHttpClient = NodeHttpClient.layerNodeHttp

/** A caller waits for the answer: shorter than `MINT_TIMEOUT`, which is for payments. */
const PING_TIME_LIMIT = "3 seconds"

/**
 * Sends a HEAD request to `SERVER_URL`. Any answer will do, a 404 or a redirect too. Nothing is ordered or paid, and
 * without a body in either direction it costs the server almost nothing.
 */
export const makePing = (
  ask: (request: HttpClientRequest.HttpClientRequest) => Effect.Effect<Reply, NoReply>
): Minter["Service"]["ping"] =>
  Effect.gen(function* () {
    const startNanos = yield* Clock.monotonicTimeNanos
    const problem = yield* ask(HttpClientRequest.head("/")).pipe(
      Effect.timeoutOrElse({
        duration: PING_TIME_LIMIT,
        orElse: () => new NoReply({ message: `no answer from the mint server within ${PING_TIME_LIMIT}`, isSent: true })
      }),
      Effect.match({ onSuccess: () => undefined, onFailure: ({ message }) => message })
    )
    return { tookMs: Number((yield* Clock.monotonicTimeNanos) - startNanos) / 1e6, problem }
  }).pipe(Effect.withSpan("Minter.ping"))
