import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { MintProtocol } from "../../src/config/Settings.ts"
import { layer } from "../../src/mint/layer.ts"
import { Minter } from "../../src/mint/Minter.ts"
import * as Clocks from "../../src/ops/Clocks.ts"
import { settings } from "./fixtures.ts"
import { answers, closesAtOnce, neverAnswers, scriptedServer, speaksAnotherTongue } from "./scriptedServer.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

const reach = (url: string, protocol: MintProtocol = "x402") =>
  Minter.use((minter) => minter.ping).pipe(Effect.provide(layer.pipe(Layer.provide(settings(url, protocol)))))

describe("whether the mint server can be reached", () => {
  for (const protocol of ["x402", "v1"] as const)
    test(`is asked at its root, without an order or a payment, with ${protocol}`, function* () {
      const server = yield* scriptedServer(answers(200))
      const { problem, tookMs } = yield* reach(server.url, protocol)
      assert.isUndefined(problem)
      assert.isAtLeast(tookMs, 0)
      const { method, path, headers, body } = yield* server.arrival
      assert.deepStrictEqual([method, path, body], ["HEAD", "/", ""])
      assert.isUndefined(headers["payment-signature"] ?? headers["x-payment"])
      assert.strictEqual(yield* server.served, 1)
    })

  for (const status of [302, 402, 404, 405, 503])
    test(`is yes where it answers ${status}`, function* () {
      const server = yield* scriptedServer(answers(status, { location: "http://elsewhere.test/" }))
      assert.isUndefined((yield* reach(`${server.url}/below`)).problem)
      assert.strictEqual((yield* server.arrival).path, "/below/")
    })

  it.effect("tells what its clock says, whatever it answers", () =>
    Effect.gen(function* () {
      const year2040 = "Sun, 01 Jan 2040 00:00:00 GMT"
      const server = yield* scriptedServer(answers(503, { date: year2040 }))
      yield* reach(server.url)
      assert.strictEqual(yield* Clocks.latestBelievableMs, Date.parse(year2040) + 120_000)
    }).pipe(
      Effect.provideService(Clocks.SystemClock, () => 0),
      Effect.provide(Clocks.layer)
    )
  )

  test("is no where nobody listens, or something else does", function* () {
    assert.match((yield* reach("http://127.0.0.1:1")).problem ?? "", /unreachable \(ECONNREFUSED\)/)
    for (const script of [closesAtOnce, speaksAnotherTongue]) {
      const server = yield* scriptedServer(script)
      assert.match((yield* reach(server.url)).problem ?? "", /connection to the mint server failed/)
    }
  })

  test("is no after three seconds of silence", function* () {
    const server = yield* scriptedServer(neverAnswers)
    const asking = yield* Effect.forkChild(reach(server.url))
    yield* server.arrival
    yield* TestClock.adjust("3 seconds")
    assert.deepStrictEqual(yield* Fiber.join(asking), {
      tookMs: 3_000,
      problem: "no answer from the mint server within 3 seconds"
    })
    assert.strictEqual(yield* server.closed, "cut")
  })
})
