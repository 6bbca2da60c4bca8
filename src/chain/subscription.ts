import { WebSocket } from "@effect/platform-node/NodeWS"
import { Clock, Duration, Effect, Predicate, Redacted, Ref, Schema, type Scope } from "effect"
import { fromWebSocket, readerString, SocketError, SocketOpenError } from "effect/socket/Socket"
import type { NetworkShape } from "../config/Network.ts"
import { chainProblem, type IdentifiedNode } from "../domain/requirements.ts"
import { NodeFault, withoutSecrets } from "./classify.ts"
import { Quantity } from "./nodes.ts"
import { withTimeout } from "./rpc.ts"

/** A connection on which no new block is announced for so many blocks is given up. */
const SILENT_BLOCKS_MAX = 3

/** A head has some two thousand bytes, the bloom filter of its logs included. */
const MESSAGE_BYTES_MAX = 64 * 1024

/** A node announces one head a block. One that sends more than this in a block's time is not read any more. */
const MESSAGES_PER_BLOCK_MAX = 100

const decodeMessage = Schema.decodeUnknownEffect(
  Schema.fromJsonString(
    Schema.Union([
      Schema.Struct({
        method: Schema.Literal("eth_subscription"),
        params: Schema.Struct({ result: Schema.Struct({ number: Quantity }) })
      }),
      Schema.Struct({ id: Schema.Int, error: Schema.Struct({ message: Schema.String }) }),
      Schema.Struct({ id: Schema.Int, result: Schema.Unknown })
    ])
  )
)

type Message = Effect.Success<ReturnType<typeof decodeMessage>>

const unreadable = new NodeFault({ reason: "Unreadable", detail: "a message that is no answer and no new block" })

export interface Source {
  /** Secret: `ws://` or `wss://`. */
  readonly url: Redacted.Redacted
  /** Host and port. */
  readonly host: string
  readonly network: NetworkShape
  /** A node of the chain that is meant; `undefined` where none is known. */
  readonly first: IdentifiedNode | undefined
}

/** For how long nothing may be announced. */
const silenceMax = ({ blockSeconds }: NetworkShape): Duration.Duration =>
  Duration.seconds(SILENT_BLOCKS_MAX * blockSeconds)

/**
 * One connection to one node, for as long as it announces new blocks (`eth_subscribe` of `newHeads`; source:
 * geth.ethereum.org/docs/interacting-with-geth/rpc/pubsub). `onHead` gets the number of the newest block first, and then
 * of each new one. Nothing is believed of a node before it has shown that it is of the chain that is meant.
 */
export const listen = Effect.fnUntraced(function* (
  source: Source,
  onHead: (head: bigint) => Effect.Effect<void>
): Effect.fn.Return<never, NodeFault, Scope.Scope> {
  const limit = silenceMax(source.network)
  const { ask, next } = yield* connect(source)
  yield* checkChain(source, ask)
  yield* ask("eth_subscribe", ["newHeads"], Schema.String)
  yield* onHead(BigInt(yield* ask("eth_blockNumber", [], Quantity)))
  const announced = Effect.repeat(next, { until: (message) => "method" in message }).pipe(
    withTimeout(limit, "no new block")
  )
  return yield* Effect.forever(
    Effect.flatMap(announced, (message) =>
      "method" in message ? onHead(BigInt(message.params.result.number)) : Effect.void
    )
  )
})

type Asked = <A>(
  method: string,
  params: ReadonlyArray<unknown>,
  answer: Schema.ConstraintDecoder<A>
) => Effect.Effect<A, NodeFault>

const checkChain = Effect.fnUntraced(function* ({ host, network, first }: Source, ask: Asked) {
  const chainId = Number(yield* ask("eth_chainId", [], Quantity))
  const { hash } = yield* ask("eth_getBlockByNumber", ["0x0", false], Schema.Struct({ hash: Schema.String }))
  const problem = chainProblem(network, { host, chainId, genesis: hash }, first)
  if (problem === undefined) return
  return yield* new NodeFault({ reason: "Unavailable", detail: `it leads to another chain: ${problem.detail}` })
})

/** A socket on which one question is asked at a time. */
const connect = Effect.fnUntraced(function* ({ url, network }: Source) {
  const secret = Redacted.value(url)
  const limit = silenceMax(network)
  const fault = (error: SocketError) => faultOf(error, secret)
  const socket = yield* fromWebSocket(open(secret), { openTimeout: limit })
  const pull = yield* Effect.mapError(readerString(socket), fault)
  const { write } = yield* socket.writer
  const next = yield* makeNext(Effect.mapError(pull, fault), network)
  const asked = yield* Ref.make(0)
  const ask: Asked = (method, params, answer) =>
    Effect.gen(function* () {
      const id = yield* Ref.updateAndGet(asked, (count) => count + 1)
      yield* Effect.mapError(write(JSON.stringify({ jsonrpc: "2.0", id, method, params })), fault)
      const message = yield* Effect.repeat(next, { until: (one) => "id" in one && one.id === id })
      if ("error" in message) {
        const detail = `${method}: ${withoutSecrets(message.error.message, secret)}`
        return yield* new NodeFault({ reason: "Rejected", detail })
      }
      const result = "result" in message ? message.result : undefined
      return yield* Effect.mapError(Schema.decodeUnknownEffect(answer)(result), () => unreadable)
    }).pipe(withTimeout(limit, `no answer to ${method}`))
  return { ask, next }
})

const open = (url: string) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => new WebSocket(url, { maxPayload: MESSAGE_BYTES_MAX, perMessageDeflate: false }),
      catch: (cause) => new SocketError({ reason: new SocketOpenError({ kind: "Unknown", cause }) })
    }),
    // A node that does not answer would hold the socket for as long as closing it may take.
    (socket) => Effect.sync(() => socket.terminate())
  )

/** Gives the messages one by one. */
const makeNext = Effect.fnUntraced(function* (
  pull: Effect.Effect<ReadonlyArray<string>, NodeFault>,
  { blockSeconds }: NetworkShape
) {
  const unread = yield* Ref.make<ReadonlyArray<string>>([])
  const pace = yield* Ref.make({ count: 0, sinceMs: 0 })
  return Effect.gen(function* (): Effect.fn.Return<Message, NodeFault> {
    const kept = yield* Ref.get(unread)
    const [first = "", ...rest] = kept.length > 0 ? kept : yield* pull
    yield* Ref.set(unread, rest)
    const nowMs = Number(yield* Clock.monotonicTimeNanos) / 1e6
    const { count } = yield* Ref.updateAndGet(pace, (before) =>
      nowMs - before.sinceMs < blockSeconds * 1000
        ? { ...before, count: before.count + 1 }
        : { count: 1, sinceMs: nowMs }
    )
    if (count > MESSAGES_PER_BLOCK_MAX) return yield* tooMany
    return yield* Effect.mapError(decodeMessage(first), () => unreadable)
  })
})

const tooMany = new NodeFault({
  reason: "Unreadable",
  detail: `more than ${MESSAGES_PER_BLOCK_MAX} messages in the time of a block`
})

const faultOf = ({ reason }: SocketError, url: string): NodeFault => {
  if (reason._tag === "SocketCloseError")
    return new NodeFault({ reason: "Unavailable", detail: `the connection was closed (${reason.code})` })
  if (reason._tag === "SocketOpenError" && reason.kind === "Timeout")
    return new NodeFault({ reason: "Timeout", detail: "no connection in time" })
  const text = messageIn(reason.cause)
  return new NodeFault({ reason: "Unavailable", detail: text === undefined ? "no details" : withoutSecrets(text, url) })
}

/** Of an error, or of the event that reports it. A refused connection to a host of several addresses has only a code. */
const messageIn = (cause: unknown): string | undefined => {
  if (!Predicate.isObject(cause)) return undefined
  const { message, code, error } = cause as Record<string, unknown>
  const found = [message, code].find((text): text is string => Predicate.isString(text) && text !== "")
  return found ?? messageIn(error)
}
