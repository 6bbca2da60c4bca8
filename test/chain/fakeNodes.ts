import { Duration, Effect, Fiber, Layer, Logger, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { ChainClient } from "../../src/chain/ChainClient.ts"
import { layer } from "../../src/chain/ChainClientViem.ts"
import { HeadKept } from "../../src/chain/head.ts"
import { base, type NetworkShape } from "../../src/config/Network.ts"
import type { SettingsShape } from "../../src/config/Settings.ts"
import { settings } from "../support/settings.ts"
import { answer, type FakeChain, Refusal, type Request } from "./fakeChain.ts"

/** What a node does with a request: gives a result, refuses it, or answers the HTTP request in its own way. */
export type Behaviour = (request: Request, signal: AbortSignal) => unknown

export const healthy =
  (chain: FakeChain): Behaviour =>
  (request) =>
    answer(chain, request)

/** What `fetch` throws where nobody listens. */
export const dead: Behaviour = () => {
  throw new TypeError("fetch failed", { cause: Object.assign(new Error(""), { code: "ECONNREFUSED" }) })
}

/** Never answers. Ends when the request is aborted. */
export const hanging: Behaviour = (_, signal) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))

export const http =
  (status: number, body = ""): Behaviour =>
  () =>
    new Response(body, { status })

/** One HTTP request, as it left. */
export interface Sent {
  readonly host: string
  readonly methods: ReadonlyArray<string>
}

export interface FakeNodes {
  /** By URL. Tests change it in place. */
  readonly behaviours: Record<string, Behaviour>
  readonly sent: Array<Sent>
}

/** `fetch` to nodes that exist only here: all above it is the production code, viem included. */
export const fetchOf =
  ({ behaviours, sent }: FakeNodes): typeof fetch =>
  async (input, init) => {
    const url = new globalThis.URL(String(input))
    const known = Object.keys(behaviours).find((own) => new globalThis.URL(own).host === url.host)
    const body = JSON.parse(String(init?.body))
    const requests: ReadonlyArray<Request> = [body].flat()
    sent.push({ host: url.host, methods: requests.map(({ method }) => method) })
    const results = await Promise.all(requests.map(async (one) => behaviours[known!]!(one, init!.signal!)))
    const whole = results.find((result) => result instanceof Response)
    if (whole !== undefined) return whole
    return Response.json(
      requests.map(({ id }, index) => {
        const result = results[index]
        return result instanceof Refusal
          ? { jsonrpc: "2.0", id, error: { code: result.code, message: result.message } }
          : { jsonrpc: "2.0", id, result }
      })
    )
  }

/** The newest block is asked for each time, unless `headKept` says for how long it is kept. */
export const layerOf = (
  nodes: FakeNodes,
  network: NetworkShape = base,
  confirmations = 2,
  changes: Partial<SettingsShape> = {},
  headKept = Duration.zero
) =>
  Layer.fresh(layer).pipe(
    Layer.provide(Layer.succeed(HeadKept, headKept)),
    Layer.provide(
      settings({
        network,
        rpcUrls: Object.keys(nodes.behaviours).map((url) => Redacted.make(url)),
        // Time limits are tested where no promise is in play (`rpc.test.ts`): here the clock runs ahead, see `settle`.
        rpcTimeout: Duration.minutes(5),
        confirmations,
        ...changes
      })
    ),
    Layer.provide(Layer.succeed(FetchHttpClient.Fetch, fetchOf(nodes)))
  )

/** Nodes by URL, and a way to use the production client on them. */
export const fakeNodes = (
  behaviours: Record<string, Behaviour>,
  network?: NetworkShape,
  confirmations?: number,
  changes?: Partial<SettingsShape>,
  headKept?: Duration.Duration
) => {
  const nodes: FakeNodes = { behaviours, sent: [] }
  return {
    ...nodes,
    run: <A, E>(use: (client: ChainClient["Service"]) => Effect.Effect<A, E>) =>
      settle(ChainClient.use(use).pipe(Effect.provide(layerOf(nodes, network, confirmations, changes, headKept))))
  }
}

export const URL = "https://node.example/"
export const BACKUP = "https://backup.example/"

/** Runs `use` on one node, and counts what it asked after the start: the methods of each HTTP request. */
export const on = Effect.fnUntraced(function* <A, E>(
  node: FakeChain | Behaviour,
  use: (client: ChainClient["Service"]) => Effect.Effect<A, E>,
  changes?: Partial<SettingsShape>
) {
  const nodes = fakeNodes({ [URL]: typeof node === "function" ? node : healthy(node) }, base, 2, changes)
  const answer = yield* nodes.run((client) => {
    nodes.sent.length = 0
    return use(client)
  })
  return { answer, sent: nodes.sent.map(({ methods }) => methods.join()) }
})

/** Runs what waits for promises and for the clock in turns, and lets no wait between tries take real time. */
export const settle = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.forkChild(effect)
  while (fiber.pollUnsafe() === undefined) {
    yield* TestClock.adjust("1 second")
    yield* TestClock.withLive(Effect.sleep("1 millis"))
  }
  return yield* Fiber.join(fiber)
})

/** Messages logged as warnings while `effect` runs. */
export const warnings = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    if (logLevel === "Warn") lines.push(String(message))
  })
  yield* effect.pipe(Effect.provide(Logger.layer([logger])))
  return lines
})
