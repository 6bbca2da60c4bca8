import { Clock, Effect, Layer, Option } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse, ProblemDetails } from "effect/http"
import { HttpApiScalar } from "effect/http-api"
import { PrometheusMetrics } from "effect/observability"
import * as Incidents from "../ops/Incidents.ts"
import { showFigures } from "../ops/ledgerGauges.ts"
import { incidentsNow } from "../ops/metrics.ts"
import { Api } from "./contract/Api.ts"
import { Overview } from "./overview.ts"
import { type PageFile, pageHeaders, readPageFiles } from "./pageFiles.ts"

/** Prometheus' text format. Without the database it still tells how the process is. */
const metrics = HttpRouter.use((router) =>
  Effect.gen(function* () {
    const overview = yield* Overview
    yield* router.add(
      "GET",
      "/metrics",
      Effect.gen(function* () {
        const figures = yield* Effect.option(overview.figures)
        if (Option.isSome(figures)) yield* showFigures(figures.value, yield* Clock.currentTimeMillis)
        yield* incidentsNow(yield* Incidents.open)
        return HttpServerResponse.text(yield* PrometheusMetrics.format(), { contentType: "text/plain; version=0.0.4" })
      })
    )
  })
)

const page = HttpRouter.use((router) =>
  Effect.gen(function* () {
    for (const [path, file] of yield* readPageFiles) yield* router.add("GET", path as `/${string}`, serveFile(file))
  })
)

/** Nothing at all to whoever has it already. */
const serveFile = (file: PageFile) =>
  Effect.map(HttpServerRequest.HttpServerRequest, ({ headers }) => {
    const own = { ...pageHeaders, etag: file.etag, vary: "accept-encoding" }
    if (headers["if-none-match"] === file.etag) return HttpServerResponse.empty({ status: 304, headers: own })
    const isGzip = /\bgzip\b/.test(headers["accept-encoding"] ?? "")
    return HttpServerResponse.uint8Array(isGzip ? file.gzip : file.body, {
      contentType: file.type,
      headers: isGzip ? { ...own, "content-encoding": "gzip" } : own
    })
  })

/** Its script comes with it and is inline; it asks nobody but this server, and is in nobody's frame. */
const DOCS_HEADERS = {
  "content-security-policy":
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; " +
    "img-src 'self' data:; font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  // Three megabytes that change with a release: no reason to send them twice in an hour.
  "cache-control": "private, max-age=3600"
}

const docs = HttpApiScalar.layer(Api, { path: "/docs", scalar: { withDefaultFonts: false } }).pipe(
  Layer.provide(HttpRouter.middleware(Effect.map(HttpServerResponse.setHeaders(DOCS_HEADERS))).layer)
)

/** HEAD is not among them: where nothing answers it, the router asks what answers GET. */
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const

const unknown = HttpRouter.use((router) =>
  Effect.forEach(
    METHODS,
    (method) =>
      // As "/*" it would win over "/" where it is registered first.
      router.add(method, "*", Effect.map(HttpServerRequest.HttpServerRequest, nothingHere)),
    { discard: true }
  )
)

const nothingHere = ({ method }: HttpServerRequest.HttpServerRequest) =>
  ProblemDetails.toResponse({
    type: ProblemDetails.blankType,
    status: 404,
    title: "Not Found",
    detail: `There is nothing at this path for ${method}. See /docs.`
  })

/** What is beside the API's definition. */
export const layer = Layer.mergeAll(metrics, page, docs, unknown)
