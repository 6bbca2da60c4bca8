import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response"
import { Effect } from "effect"
import { setTimeout } from "node:timers/promises"
import { NO_REDIRECT } from "../ops/fetch.ts"
import { defaults, type Faults, type FaultKind } from "./faults.ts"
import { type Answering, cut, listen, silence } from "./listen.ts"
import { isCall, LOG_FAULTS, type Plan, planFor, type RpcAnswer, type View } from "./rpcView.ts"

export interface RpcProxyOptions {
  /** The node, http or https. */
  readonly target: string
  readonly faults: Faults
}

/**
 * A way to a node on which things go wrong on request. Without a fault it hands on what comes, byte for byte. Requests
 * of several calls (JSON-RPC batches) are one request.
 */
export const serve = Effect.fn("RpcProxy.serve")((options: RpcProxyOptions) =>
  Effect.map(listen(handler(options)), (url) => ({ url }))
)

/** Those that keep a request from the node. */
const BARRIERS: ReadonlyArray<FaultKind> = ["rpc-429", "rpc-500", "rpc-503", "rpc-reset", "rpc-hang"]

const handler = ({ target, faults }: RpcProxyOptions): Answering => {
  const ask: Ask = (body) => forward(target, body)
  const look = viewer(faults, ask)
  const answerTo = async (body: string): Promise<Response> => {
    const view = await look(body)
    const answer = view === undefined ? await ask(body) : await askThrough(view, body, { ask, faults })
    const isCut = faults.take(["rpc-malformed"]) !== undefined
    return send(isCut ? { ...answer, body: answer.body.slice(0, Math.ceil(answer.body.length / 2)) } : answer)
  }
  return async (request, env) => {
    const body = await request.text()
    const slow = faults.take(["rpc-slow"])
    if (slow !== undefined) await setTimeout(slow.ms ?? defaults.ms, undefined, { ref: false })
    switch (faults.take(BARRIERS)?.kind) {
      case "rpc-429":
        return refuse(429, "rate limit exceeded")
      case "rpc-500":
        return refuse(500, "internal error")
      case "rpc-503":
        return refuse(503, "no backend is available")
      case "rpc-reset":
        env.outgoing.socket?.resetAndDestroy()
        return RESPONSE_ALREADY_SENT
      case "rpc-hang":
        return silence()
      default:
        return answerTo(body).catch(() => cut(env))
    }
  }
}

interface Answer {
  readonly status: number
  readonly body: string
}

type Ask = (body: string) => Promise<Answer>

const HEADERS = { "content-type": "application/json" }

const forward = async (target: string, body: string): Promise<Answer> => {
  const answer = await fetch(target, { ...NO_REDIRECT, method: "POST", headers: HEADERS, body })
  return { status: answer.status, body: await answer.text() }
}

const send = ({ status, body }: Answer): Response => new Response(body, { status, headers: HEADERS })

const refuse = (status: number, message: string): Response =>
  Response.json({ jsonrpc: "2.0", id: null, error: { code: -32_000, message } }, { status })

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
    const isAboutLogs = body.includes('"eth_getLogs"')
    const logs = isAboutLogs ? LOG_FAULTS.filter((kind) => faults.take([kind]) !== undefined) : []
    const limit = isAboutLogs ? faults.find(["rpc-range"]) : undefined
    const range = limit && { max: limit.blocks ?? defaults.blocks, newest: await newest() }
    const isOtherChain = body.includes('"eth_chainId"') && faults.take(["rpc-wrong-chain"]) !== undefined
    const isAsItIs = head === undefined && logs.length === 0 && range === undefined && !isOtherChain
    return isAsItIs ? undefined : { head, logs, range, isOtherChain }
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
  const seen = calls.map(({ id }, index) => ({ jsonrpc: "2.0", id, ...outcome(plans[index], byId.get(id)) }))
  return { status: 200, body: JSON.stringify(Array.isArray(request) ? seen : seen[0]) }
}

const outcome = (plan: Plan | undefined, answer: RpcAnswer | undefined): RpcAnswer => {
  if (plan !== undefined && "answer" in plan) return plan.answer
  return plan === undefined || answer === undefined
    ? { error: { code: -32_603, message: "the node did not answer this call" } }
    : plan.see(answer)
}
