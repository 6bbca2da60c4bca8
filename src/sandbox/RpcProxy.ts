import { Effect, Schema, type Scope } from "effect"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"
import { setTimeout } from "node:timers/promises"
import { NO_REDIRECT } from "../ops/fetch.ts"
import { defaults, type Faults, type Kind } from "./faults.ts"
import { isCall, LOG_FAULTS, type Plan, planFor, type RpcAnswer, type View } from "./rpcView.ts"

/** There is no port to listen on. */
export class RpcProxyError extends Schema.TaggedError<RpcProxyError>()("RpcProxyError", { message: Schema.String }) {}

export interface RpcProxyOptions {
  /** The node, http or https. */
  readonly target: string
  readonly faults: Faults
}

/**
 * A way to a node on which things go wrong on request. Without a fault it hands on what comes, byte for byte. Requests
 * of several calls (JSON-RPC batches) are one request.
 */
export const serve = Effect.fn("RpcProxy.serve")(function* (
  options: RpcProxyOptions
): Effect.fn.Return<{ readonly url: string }, RpcProxyError, Scope.Scope> {
  const handle = handler(options)
  const server = yield* Effect.acquireRelease(
    listen(createServer((request, response) => void handle(request, response).catch(() => response.destroy()))),
    (listening) => Effect.sync(() => (listening.close(), listening.closeAllConnections()))
  )
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
})

const listen = (server: Server): Effect.Effect<Server, RpcProxyError> =>
  Effect.callback((resume) => {
    server.once("error", ({ message }) => resume(new RpcProxyError({ message: `cannot listen: ${message}` })))
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  })

/** Those that keep a request from the node. */
const BARRIERS: ReadonlyArray<Kind> = ["rpc-429", "rpc-500", "rpc-503", "rpc-reset", "rpc-hang"]

const handler = ({ target, faults }: RpcProxyOptions) => {
  const ask = (body: string) => forward(target, body)
  const look = viewer(faults, ask)
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request)
    const slow = faults.take(["rpc-slow"])
    if (slow !== undefined) await setTimeout(slow.ms ?? defaults.ms, undefined, { ref: false })
    const barrier = faults.take(BARRIERS)
    if (barrier !== undefined) return stop(response, barrier.kind)
    const view = await look(body)
    const answer = view === undefined ? await ask(body) : await askThrough(view, body, { ask, faults })
    const isCut = faults.take(["rpc-malformed"]) !== undefined
    send(response, isCut ? { ...answer, body: answer.body.slice(0, Math.ceil(answer.body.length / 2)) } : answer)
  }
}

interface Answer {
  readonly status: number
  readonly body: string
}

type Ask = (body: string) => Promise<Answer>

const forward = async (target: string, body: string): Promise<Answer> => {
  const headers = { "content-type": "application/json" }
  const answer = await fetch(target, { ...NO_REDIRECT, method: "POST", headers, body })
  return { status: answer.status, body: await answer.text() }
}

const send = (response: ServerResponse, { status, body }: Answer): void =>
  void response.writeHead(status, { "content-type": "application/json" }).end(body)

const WORDS: Partial<Record<Kind, string>> = {
  "rpc-429": "rate limit exceeded",
  "rpc-500": "internal error",
  "rpc-503": "no backend is available"
}

const stop = (response: ServerResponse, kind: Kind): void => {
  if (kind === "rpc-hang") return
  if (kind === "rpc-reset") return void response.socket?.resetAndDestroy()
  const error = { code: -32_000, message: WORDS[kind] }
  send(response, { status: Number(kind.slice(-3)), body: JSON.stringify({ jsonrpc: "2.0", id: null, error }) })
}

/** What the faults that are on change in the node's answers; `undefined` where they change nothing. */
const viewer = (faults: Faults, ask: Ask) => {
  /** Where the node stood when it was frozen. */
  let frozen: Promise<bigint> | undefined

  const newest = async (): Promise<bigint> => {
    const { body } = await ask(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_blockNumber", params: [] }))
    return BigInt((JSON.parse(body) as { readonly result: string }).result)
  }

  const freeze = (): Promise<bigint> => {
    const head = newest()
    head.catch(() => (frozen = undefined))
    return head
  }

  const headOf = async (): Promise<bigint | undefined> => {
    frozen = faults.take(["rpc-frozen"]) === undefined ? undefined : (frozen ?? freeze())
    const lag = faults.take(["rpc-lag"])
    if (lag === undefined) return frozen
    const head = (await (frozen ?? newest())) - BigInt(lag.blocks ?? defaults.blocks)
    return head > 0n ? head : 0n
  }

  return async (body: string): Promise<View | undefined> => {
    const head = await headOf()
    const isAbout = (method: string, kind: Kind): boolean =>
      body.includes(`"${method}"`) && faults.find([kind]) !== undefined
    const takes = (method: string, kind: Kind): boolean => isAbout(method, kind) && faults.take([kind]) !== undefined
    const max = isAbout("eth_getLogs", "rpc-range")
      ? (faults.find(["rpc-range"])?.blocks ?? defaults.blocks)
      : undefined
    const logs = LOG_FAULTS.filter((kind) => takes("eth_getLogs", kind))
    const view: View = {
      ...(head === undefined ? {} : { head }),
      ...(takes("eth_getLogs", "rpc-no-logs") ? { hasNoLogs: true } : {}),
      ...(logs.length === 0 ? {} : { logs }),
      ...(takes("eth_chainId", "rpc-wrong-chain") ? { isOtherChain: true } : {}),
      ...(max === undefined ? {} : { range: { max, newest: await newest() } })
    }
    return Object.keys(view).length === 0 ? undefined : view
  }
}

/** Sends the calls that need the node as one request, and gives all answers in their order. */
const askThrough = async (
  view: View,
  body: string,
  { ask, faults }: { readonly ask: Ask; readonly faults: Faults }
): Promise<Answer> => {
  const request: unknown = JSON.parse(body)
  const calls = (Array.isArray(request) ? request : [request]).filter(isCall)
  const plans = calls.map((call) => planFor(call, view))
  const asked = plans.flatMap((plan) => ("call" in plan ? [plan.call] : []))
  const said = asked.length === 0 ? { status: 200, body: "[]" } : await ask(JSON.stringify(asked))
  // Any other answer of the node is passed on as it is.
  const answers: unknown = said.status === 200 ? JSON.parse(said.body) : undefined
  if (!Array.isArray(answers)) return said
  if (plans.some((plan) => "answer" in plan && plan.isTooLarge === true)) faults.take(["rpc-range"])
  const byId = new Map(answers.map((answer: RpcAnswer & { readonly id: unknown }) => [answer.id, answer]))
  const seen = calls.map((call, index) => ({
    jsonrpc: "2.0",
    id: call.id,
    ...outcome(plans[index], byId.get(call.id))
  }))
  return { status: 200, body: JSON.stringify(Array.isArray(request) ? seen : seen[0]) }
}

const outcome = (plan: Plan | undefined, answer: RpcAnswer | undefined): RpcAnswer => {
  if (plan !== undefined && "answer" in plan) return plan.answer
  return plan === undefined || answer === undefined
    ? { error: { code: -32_603, message: "the node did not answer this call" } }
    : plan.see(answer)
}
