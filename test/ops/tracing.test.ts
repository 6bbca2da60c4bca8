import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Redacted, Tracer } from "effect"
import { FetchHttpClient } from "effect/http"
import { makeEndpoint } from "../../src/chain/endpoint.ts"
import { headNumber } from "../../src/chain/rpcCalls.ts"
import { Settings, type SettingsShape } from "../../src/config/Settings.ts"
import * as MinterLayer from "../../src/mint/layer.ts"
import { Minter } from "../../src/mint/Minter.ts"
import { layer } from "../../src/ops/tracing.ts"
import { version } from "../../src/ops/process.ts"
import { settle } from "../chain/fakeNodes.ts"
import { fullOnBase, loadFrom, secrets } from "../config/fixtures.ts"
import { base64, challengeV2, order, payment } from "../mint/fixtures.ts"
import { answers, neverAnswers, scriptedServer } from "../mint/scriptedServer.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

/** Runs a program of a process with these settings, to the end of its last export. */
const traced =
  (settings: SettingsShape) =>
  <A, E>(program: Effect.Effect<A, E, Settings>) =>
    program.pipe(Effect.provide(Layer.fresh(layer)), Effect.provideService(Settings, settings))

interface Traces {
  readonly resourceSpans: ReadonlyArray<{
    readonly resource: { readonly attributes: ReadonlyArray<{ readonly key: string; readonly value: unknown }> }
    readonly scopeSpans: ReadonlyArray<{ readonly spans: ReadonlyArray<{ readonly name: string }> }>
  }>
}

const spansOf = ({ resourceSpans }: Traces) =>
  resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))

describe("traces", () => {
  it.live("arrive as JSON with the name of the service and of each span", () =>
    Effect.gen(function* () {
      const collector = yield* scriptedServer(answers(200))
      const settings = { ...(yield* loadFrom(fullOnBase)), tracesUrl: collector.url }
      yield* Effect.void.pipe(Effect.withSpan("Wallet.takeTurn"), Effect.withSpan("MintLoop.tick"), traced(settings))
      const { method, path, headers, body } = yield* collector.arrival
      assert.deepStrictEqual([method, path, headers["content-type"]], ["POST", "/v1/traces", "application/json"])
      const traces: Traces = JSON.parse(body)
      assert.deepStrictEqual(
        spansOf(traces).map(({ name }) => name),
        ["Wallet.takeTurn", "MintLoop.tick"]
      )
      const attributes = traces.resourceSpans[0]?.resource.attributes ?? []
      assert.deepInclude([...attributes], { key: "service.name", value: { stringValue: "ai-mint-executor" } })
      assert.deepInclude([...attributes], { key: "service.version", value: { stringValue: version } })
      assert.deepInclude([...attributes], { key: "deployment.environment.name", value: { stringValue: "base" } })
    })
  )

  it.live("carry no secret: not of an error, of an RPC URL, of a payment", () =>
    Effect.gen(function* () {
      const collector = yield* scriptedServer(answers(200))
      const challenges = answers(402, { "payment-required": base64(challengeV2) })
      const server = yield* scriptedServer(answers(500), challenges, answers(500))
      const loaded = yield* loadFrom(fullOnBase)
      const settings = {
        ...loaded,
        serverUrl: server.url,
        tracesUrl: collector.url
      }
      const cause = new Error(`connect to ${Redacted.value(loaded.databaseUrl ?? assert.fail())}`)
      const spill = new Error(`not with ${Object.values(secrets).join(" ")}`, { cause })
      yield* Effect.gen(function* () {
        yield* Effect.fail(spill).pipe(
          Effect.withSpan("Spill"),
          Effect.annotateSpans("why", spill.message),
          Effect.exit
        )
        const node = makeEndpoint(Redacted.make(`${server.url}/v2/${secrets.rpcKey}`), yield* FetchHttpClient.Fetch)
        yield* node.ask(headNumber).pipe(Effect.withSpan("Rpc.ask"), Effect.exit)
        const minter = yield* Minter
        const quote = yield* minter.quote(order)
        const answer = yield* minter.pay(order, quote, quote.offers[0]!, payment)
        assert.strictEqual(answer._tag, "Unclear")
      }).pipe(Effect.provide(MinterLayer.layer), traced(settings))
      assert.strictEqual((yield* server.arrival).path, `/v2/${secrets.rpcKey}`)
      yield* server.arrival
      const paid = yield* server.arrival
      const header = String(paid.headers["payment-signature"])
      assert.isAbove(header.length, 100)
      const { body } = yield* collector.arrival
      const names = spansOf(JSON.parse(body)).map(({ name }) => name)
      assert.includeMembers(names, ["Spill", "Rpc.ask", "Minter.quote", "Minter.pay"])
      for (const secret of [...Object.values(secrets), encodeURIComponent(secrets.databasePassword), "/v2/"])
        assert.notInclude(body.toLowerCase(), secret.toLowerCase())
      for (const bytes of [header, payment.signature, payment.nonce]) assert.notInclude(body, bytes)
    })
  )

  for (const [what, collector] of [
    ["nobody listens", Effect.succeed("http://127.0.0.1:1")],
    ["the collector refuses", Effect.map(scriptedServer(answers(503)), ({ url }) => url)],
    ["the collector never answers", Effect.map(scriptedServer(neverAnswers), ({ url }) => url)]
  ] as const)
    test(`cost the work nothing, and a stop two seconds at most, where ${what}`, function* () {
      const settings = { ...(yield* loadFrom(fullOnBase)), tracesUrl: yield* collector }
      const work = Effect.as(Effect.withSpan(Effect.sleep("1 second"), "Work"), 42)
      const [answer, doneAtMs] = yield* settle(Effect.all([work, Clock.currentTimeMillis]).pipe(traced(settings)))
      assert.deepStrictEqual([answer, doneAtMs], [42, 1_000])
      assert.isAtMost((yield* Clock.currentTimeMillis) - doneAtMs, 3_000)
    })

  test("are not made without OTEL_EXPORTER_OTLP_ENDPOINT", function* () {
    const span = yield* Effect.currentSpan.pipe(Effect.withSpan("Work"), traced(yield* loadFrom(fullOnBase)))
    assert.strictEqual(span.constructor, Tracer.NativeSpan)
  })
})
