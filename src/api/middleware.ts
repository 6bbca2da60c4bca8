import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { ByteSize, Cause, Effect, Option, Schema } from "effect"
import {
  HttpIncomingMessage,
  HttpRouter,
  HttpServerError,
  HttpServerRequest,
  HttpServerResponse,
  ProblemDetails
} from "effect/http"
import * as Log from "../ops/Log.ts"
import { problemBody } from "./problemBodies.ts"
import { makeRateLimit } from "./rates.ts"
import { isPlainTarget } from "./rawPath.ts"

/** An order is some 200 bytes, a reason 500 characters at most. */
const BODY_MAX = ByteSize.kibibytes(16)

/**
 * For every request: a rate limit for each address, a limit of the body, headers that keep browsers from caching or
 * guessing, and a body for every error.
 */
export const layer = HttpRouter.middleware(
  Effect.map(
    makeRateLimit,
    (rateLimit) => (route) =>
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => requestFault(request) ?? route).pipe(
        rateLimit,
        Effect.catchCause(answerTo),
        Effect.flatMap((response) =>
          Effect.map(HttpServerRequest.HttpServerRequest, ({ method }) => withProblem(response, method))
        ),
        Effect.map(withHeaders),
        Effect.provideService(HttpIncomingMessage.MaxBodySize, BODY_MAX)
      )
  ),
  { global: true }
)

const withHeaders = (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.setHeaders(response, {
    "x-content-type-options": "nosniff",
    "cache-control": response.headers["cache-control"] ?? "no-store",
    // RFC 9110, section 11.6.1: a 401 says how to authenticate.
    ...(response.status === 401 ? { "www-authenticate": "Bearer" } : {})
  })

/** What is wrong with a request, before routing. The target is checked as it came: the framework has changed it. */
const requestFault = (request: HttpServerRequest.HttpServerRequest) => {
  const { httpVersion, url = "" } = NodeHttpServerRequest.toIncomingMessage(request)
  // RFC 9112, section 3.2: a request of HTTP/1.1 names the host.
  if (request.headers["host"] === undefined && httpVersion === "1.1") return HOSTLESS
  return isPlainTarget(url) ? undefined : NOT_PLAIN
}

const badRequest = (detail: string) =>
  Effect.succeed(ProblemDetails.toResponse(problemBody({ status: 400, title: "Bad Request", detail })))

const HOSTLESS = badRequest("HTTP/1.1 needs the header Host.")

const NOT_PLAIN = badRequest(
  "The path is not in its plain form: it may have no empty or dot segment, no ; # or \\, and no escape of what needs none."
)

/** The answer for a route that failed without one. After an interruption there is no client to answer. */
const answerTo = Effect.fnUntraced(function* <E>(cause: Cause.Cause<E>) {
  if (Cause.hasInterruptsOnly(cause)) return yield* Effect.failCause(cause)
  const [response] = yield* HttpServerError.causeResponse(cause)
  if (response.status >= 500) yield* Log.error("🚨 A request ended in a defect", { cause })
  return response
})

/**
 * The framework's own refusals are empty, or plain text: they become problems of RFC 9457. Those that are problems already
 * get what every problem says to a program.
 */
const withProblem = (
  response: HttpServerResponse.HttpServerResponse,
  method: string
): HttpServerResponse.HttpServerResponse => {
  const { status, body } = response
  const said = status < 400 ? undefined : saidBy(body)
  if (said === undefined) return response
  const problem = ProblemDetails.toResponse(problemBody({ title: TITLES[status] ?? "Error", ...said, status }, method))
  // RFC 9110, section 15.5.6: a 405 names the methods that there are.
  const { allow } = response.headers
  return allow === undefined ? problem : HttpServerResponse.setHeader(problem, "allow", allow)
}

/** What a refusal says so far; `undefined` where that is all there is to say. */
const saidBy = (body: HttpServerResponse.HttpServerResponse["body"]) => {
  if (body._tag === "Empty" || body.contentType?.startsWith("text/plain") === true) return {}
  if (body._tag !== "Uint8Array" || body.contentType !== ProblemDetails.contentType) return undefined
  const problem = Option.getOrUndefined(readProblem(new TextDecoder().decode(body.body)))
  return problem?.["code"] === undefined ? problem : undefined
}

const readProblem = Schema.decodeOption(Schema.fromJsonString(Schema.Record(Schema.String, Schema.Json)))

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  500: "Internal Server Error",
  503: "Service Unavailable"
}
