import { ConfigProvider, Effect, Layer } from "effect"
import { HttpBody, HttpClient, HttpClientError } from "effect/http"
import { OtlpSerialization, OtlpTracer } from "effect/observability"
import { Settings, type SettingsShape } from "../config/Settings.ts"
import { httpClient } from "./fetch.ts"
import { makeRedact } from "./redact.ts"
import { version } from "./process.ts"

/** How often ended spans are sent. */
const EXPORT_INTERVAL = "5 seconds"

/** How long a stop waits for the last spans: a deploy must not wait for them. */
const SHUTDOWN_TIMEOUT = "2 seconds"

/** A collector that never answers must not make batches pile up. */
const EXPORT_TIMEOUT = "5 seconds"

const limited = (http: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.transform(http, (response, request) =>
    Effect.timeoutOrElse(response, {
      duration: EXPORT_TIMEOUT,
      orElse: () => {
        const description = `no answer within ${EXPORT_TIMEOUT}`
        const reason = new HttpClientError.TransportError({ request, description })
        return Effect.fail(new HttpClientError.HttpClientError({ reason }))
      }
    })
  )

const client = Layer.effect(HttpClient.HttpClient, Effect.map(HttpClient.HttpClient, limited)).pipe(
  Layer.provide(httpClient)
)

/**
 * JSON, redacted: a span that failed carries the error with its causes, which come from drivers. The second
 * line of defence, as in the log: no span is given a secret, RPC requests (viem's) make no HTTP span at all, and those
 * to the mint server carry no headers.
 */
const serialization = (settings: SettingsShape) => {
  const redact = makeRedact(settings)
  return Layer.effect(
    OtlpSerialization.OtlpSerialization,
    Effect.map(OtlpSerialization.OtlpSerialization, (json) => ({
      ...json,
      traces: (spans) => HttpBody.text(redact(JSON.stringify(spans)), "application/json")
    }))
  ).pipe(Layer.provide(OtlpSerialization.layerJson))
}

const exporter = (settings: SettingsShape, url: string) =>
  OtlpTracer.layer({
    url: `${url}/v1/traces`,
    resource: {
      serviceName: "ai-mint-executor",
      serviceVersion: version,
      attributes: { "deployment.environment.name": settings.network.name }
    },
    exportInterval: EXPORT_INTERVAL,
    shutdownTimeout: SHUTDOWN_TIMEOUT
  }).pipe(
    Layer.provide([serialization(settings), client]),
    // All that can be set is in the settings; else a broken `OTEL_RESOURCE_ATTRIBUTES` would keep the process from starting.
    Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({})))
  )

/** A payment travels in a header, and anyone who has it can send it: no header is ever part of a span. */
const withoutHeaders = Layer.succeed(HttpClient.TracerHeaderFilter, () => false)

/**
 * Sends all spans to the collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names, in batches and in the background. A
 * collector that fails costs the spans and nothing else: the exporter drops them, and tries anew a minute later.
 * Without the setting nothing is sent.
 */
export const layer: Layer.Layer<never, never, Settings> = Layer.unwrap(
  Effect.map(Settings, (settings) =>
    settings.tracesUrl === undefined ? Layer.empty : Layer.merge(exporter(settings, settings.tracesUrl), withoutHeaders)
  )
)
