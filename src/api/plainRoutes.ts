import { Clock, Effect, Layer, Option } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse, ProblemDetails } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import * as Incidents from "../ops/Incidents.ts"
import { showFigures } from "../ops/ledgerGauges.ts"
import { incidentsNow } from "../ops/metrics.ts"
import { Status } from "../operator/Status.ts"
import { type PageFile, pageHeaders, readPageFiles } from "./pageFiles.ts"
import * as Reference from "./reference.ts"

/** Prometheus' text format. Without the database it still tells how the process is. */
const metrics = HttpRouter.use((router) =>
  Effect.gen(function* () {
    const status = yield* Status
    yield* router.add(
      "GET",
      "/metrics",
      Effect.gen(function* () {
        const figures = yield* Effect.option(status.figures)
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

/** 304 Not Modified where the client already has this version. */
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
export const layer = Layer.mergeAll(metrics, page, Reference.layer, unknown)
