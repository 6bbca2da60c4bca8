import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { ByteSize, Cause, Duration, Effect, Layer, Schedule } from "effect"
import {
  HttpIncomingMessage,
  HttpRouter,
  HttpServer,
  HttpServerError,
  HttpServerRequest,
  HttpServerResponse,
  ProblemDetails
} from "effect/http"
import { HttpApiBuilder, HttpApiMiddleware, HttpApiScalar } from "effect/http-api"
import * as RateLimiter from "effect/persistence/RateLimiter"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { Settings } from "../config/Settings.ts"
import * as Log from "../ops/Log.ts"
import * as Authorization from "./authorization.ts"
import { Api } from "./contract/Api.ts"
import * as ControlRoutes from "./controlRoutes.ts"
import { EventFeed } from "./feed.ts"
import { Overview } from "./overview.ts"
import * as PlainRoutes from "./plainRoutes.ts"
import { Readiness } from "./readiness.ts"
import * as SystemRoutes from "./systemRoutes.ts"
import * as TaskRoutes from "./taskRoutes.ts"
import * as V1Routes from "./v1Routes.ts"
import * as WalletRoutes from "./walletRoutes.ts"

/** An order is some 200 bytes, a reason 500 characters at most. */
const BODY_MAX = ByteSize.kibibytes(16)

/** Requests that are under way at a stop are few and short; listeners are told at once. */
const STOP_WITHIN = "1 second"

/** A socket on which nothing moves for so long is nobody's: events beat every 10 seconds. */
const SILENT_SOCKET_MS = 60_000

/** The whole of a request must be there by then: it is small. */
const REQUEST_MS_MAX = 15_000

/** Sockets at once: pages and listeners, and what a scraper and a proxy keep open. */
const CONNECTIONS_MAX = 2_000

const groups = Layer.mergeAll(
  SystemRoutes.layer,
  TaskRoutes.layer,
  WalletRoutes.layer,
  ControlRoutes.layer,
  V1Routes.layer
)

const api = HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }).pipe(
  Layer.provide(groups),
  Layer.provide([Authorization.layer, HttpApiMiddleware.layerProblemDetails({ includeDetails: true })])
)

/** Every answer: no larger body than needed is read, nothing is kept or guessed by browsers, and no error is empty. */
const manners = HttpRouter.middleware(
  (route) =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => (isHostless(request) ? HOSTLESS : route)).pipe(
      Effect.catchCause(answerTo),
      Effect.map(withProblem),
      Effect.map(HttpServerResponse.setHeader("x-content-type-options", "nosniff")),
      Effect.map((response) =>
        response.headers["cache-control"] === undefined
          ? HttpServerResponse.setHeader(response, "cache-control", "no-store")
          : response
      ),
      Effect.provideService(HttpIncomingMessage.MaxBodySize, BODY_MAX)
    ),
  { global: true }
)

/** RFC 9112, section 3.2: a request of HTTP/1.1 names the host. */
const isHostless = (request: HttpServerRequest.HttpServerRequest): boolean =>
  request.headers["host"] === undefined && NodeHttpServerRequest.toIncomingMessage(request).httpVersion === "1.1"

const HOSTLESS = Effect.succeed(
  ProblemDetails.toResponse({
    type: ProblemDetails.blankType,
    status: 400,
    title: "Bad Request",
    detail: "HTTP/1.1 needs the header Host."
  })
)

/** What ends a route without an answer of its own. Whoever asked is gone where it was interrupted. */
const answerTo = Effect.fnUntraced(function* <E>(cause: Cause.Cause<E>) {
  if (Cause.hasInterruptsOnly(cause)) return yield* Effect.failCause(cause)
  const [response] = yield* HttpServerError.causeResponse(cause)
  if (response.status >= 500) yield* Log.error("🚨 A request ended in a defect", { cause })
  return response
})

/** What the framework refuses by itself, it refuses without a word, or with one that is no problem of RFC 9457. */
const withProblem = (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse => {
  const { status, body } = response
  if (status < 400 || !(body._tag === "Empty" || body.contentType?.startsWith("text/plain") === true)) return response
  return ProblemDetails.toResponse({ type: ProblemDetails.blankType, status, title: TITLES[status] ?? "Error" })
}

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  500: "Internal Server Error",
  503: "Service Unavailable"
}

const routes = Layer.mergeAll(api, HttpApiScalar.layer(Api, { path: "/docs" }), PlainRoutes.layer, manners)

interface Refusal {
  readonly status: number
  readonly title: string
  readonly detail: string
}

const NO_HTTP: Refusal = { status: 400, title: "Bad Request", detail: "This is no HTTP request." }

/** What Node's parser does not take, by the code of its error. */
const REFUSALS: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    title: "Request Header Fields Too Large",
    detail: "Path and headers together may have 16 KiB."
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    title: "Request Timeout",
    detail: `The whole of a request must be there within ${REQUEST_MS_MAX / 1000} seconds.`
  }
}

const EXPECTATION: Refusal = {
  status: 417,
  title: "Expectation Failed",
  detail: "Nothing is expected of this server but 100-continue."
}

const problemText = (refusal: Refusal): string => JSON.stringify({ type: "about:blank", ...refusal })

/** What is no HTTP gets an answer all the same, unless nobody is there any more. */
const refuse = (error: NodeJS.ErrnoException, socket: Socket): void => {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy()
  const refusal = REFUSALS[error.code ?? ""] ?? NO_HTTP
  const body = problemText(refusal)
  const head = `HTTP/1.1 ${refusal.status} ${refusal.title}\r\nConnection: close\r\nContent-Type: ${ProblemDetails.contentType}\r\n`
  socket.end(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}

/** Node would answer without a word. */
const refuseExpectation = (_request: IncomingMessage, response: ServerResponse): void => {
  const body = problemText(EXPECTATION)
  const headers = { "content-type": ProblemDetails.contentType, "content-length": Buffer.byteLength(body) }
  response.writeHead(EXPECTATION.status, headers).end(body)
}

const makeServer = (): Server => {
  const server = createServer({
    requestTimeout: REQUEST_MS_MAX,
    headersTimeout: REQUEST_MS_MAX,
    // Node would refuse it without a word: `manners` does it with one.
    requireHostHeader: false
  })
  server.maxConnections = CONNECTIONS_MAX
  server.setTimeout(SILENT_SOCKET_MS)
  server.on("clientError", (error, socket) => refuse(error, socket as Socket))
  server.on("checkExpectation", refuseExpectation)
  return server
}

/** Closes whatever does not end by itself, so that nobody's slow connection holds a stop up. */
const closing = (server: Server) =>
  Layer.effectDiscard(
    Effect.addFinalizer(() =>
      Effect.sync(() => {
        server.closeAllConnections()
      })
    )
  )

const listening = Layer.unwrap(
  Effect.gen(function* () {
    const { opsHost: host, opsPort: port } = yield* Settings
    const server = makeServer()
    return closing(server).pipe(
      Layer.provideMerge(NodeHttpServer.layer(() => server, { host, port, gracefulShutdownTimeout: STOP_WITHIN }))
    )
  })
)

/** Built last, and so the first to go at a stop: the server waits for answers that are under way, and listening has no end. */
const hangingUp = Layer.effectDiscard(Effect.flatMap(EventFeed, ({ close }) => Effect.addFinalizer(() => close)))

const behind = EventFeed.layer.pipe(
  Layer.provideMerge(Overview.layer),
  Layer.provideMerge(Readiness.layer),
  Layer.provide([NodeCrypto.layerSecureRandom])
)

/** The API, the page, the metrics and the documents, at `OPS_HOST` and `OPS_PORT`, until the scope closes. */
export const layer = hangingUp.pipe(
  Layer.provideMerge(HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true })),
  Layer.provideMerge(listening),
  Layer.provide(behind),
  Layer.provide(NodeCrypto.layerSecureRandom),
  Layer.provide(RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory)))
)

/** How soon a port that is taken is tried again: at a deploy the one before may still have it. */
const AGAIN_AFTER = Duration.seconds(10)

/**
 * Serves for ever. Without it minting goes on all the same, so a port that is taken is told, and tried again until it is
 * free.
 */
export const serve = Effect.gen(function* () {
  const server = yield* HttpServer.HttpServer
  const door = Authorization.doorOf(yield* Settings)._tag
  yield* Log.startup(`🖥️ Page and API: ${HttpServer.formatAddress(server.address)}/ (${DOORS[door]})`)
  return yield* Effect.never
}).pipe(
  Effect.provide(layer, { local: true }),
  Effect.tapErrorTag("ServeError", (error) =>
    Effect.flatMap(Settings, ({ opsHost, opsPort }) =>
      Log.warnOnce(
        "serve",
        `⚠️ No page and no API: ${opsHost}:${opsPort} cannot be listened at (${codeOf(error)}). Minting goes on`
      )
    )
  ),
  Effect.retry(Schedule.spaced(AGAIN_AFTER)),
  // Whatever breaks here, orders and payments go on.
  Effect.catchCause((cause) =>
    Cause.hasInterruptsOnly(cause)
      ? Effect.failCause(cause as Cause.Cause<never>)
      : Effect.andThen(Log.error("🚨 Page and API ended in a defect. Minting goes on", { cause }), Effect.never)
  )
)

const DOORS: Readonly<Record<Authorization.Door["_tag"], string>> = {
  Token: "asks for OPS_TOKEN",
  Open: "open to this machine",
  Closed: "health and metrics only: OPS_TOKEN is not set"
}

const codeOf = ({ cause }: HttpServerError.ServeError): string =>
  cause instanceof Error && "code" in cause ? String(cause.code) : String(cause)
