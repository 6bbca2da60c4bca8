import { WebSocketServer, type WebSocket } from "@effect/platform-node/NodeWS"
import { Effect, Queue } from "effect"
import type { AddressInfo } from "node:net"
import { type FakeChain, answer } from "./fakeChain.ts"

interface Request {
  readonly id: number
  readonly method: string
  readonly params: ReadonlyArray<unknown>
}

/** What a node does on one connection. */
export type Manners = (socket: WebSocket) => void

const SUBSCRIPTION = "0x9cef478923ff08bf67fde6c64013158d"

const hex = (number: bigint): string => `0x${number.toString(16)}`

export const say = (socket: WebSocket, message: unknown): void => socket.send(JSON.stringify(message))

export const announceOn = (socket: WebSocket, number: bigint): void => {
  const result = { number: hex(number), hash: `0x${"ab".repeat(32)}` }
  say(socket, { jsonrpc: "2.0", method: "eth_subscription", params: { subscription: SUBSCRIPTION, result } })
}

/** Announces a block on every connection. */
export const announce = ({ server }: WsNode, number: bigint): void =>
  server.clients.forEach((socket) => announceOn(socket, number))

/** Answers as a node of this chain. `instead` answers in its place where it gives something. */
export const healthy =
  (chain: FakeChain, instead: (request: Request, socket: WebSocket) => unknown = () => undefined): Manners =>
  (socket) =>
    socket.on("message", (data) => {
      const request = JSON.parse(String(data)) as Request
      const other = instead(request, socket)
      const isSubscribe = request.method === "eth_subscribe"
      const usual = () => ({ result: isSubscribe ? SUBSCRIPTION : answer(chain, request as never) })
      say(socket, { jsonrpc: "2.0", id: request.id, ...((other as object | undefined) ?? usual()) })
    })

export interface WsNode {
  readonly url: string
  readonly server: WebSocketServer
  /** `open`, the method of each request, and `closed`, in their order. */
  readonly events: Queue.Queue<string>
  /** Changed in place. */
  manners: Manners
}

/** A node behind a WebSocket of this machine, until the scope closes. */
export const wsNode = Effect.fnUntraced(function* (manners: Manners) {
  const events = yield* Queue.unbounded<string>()
  const server = yield* Effect.acquireRelease(
    Effect.callback<WebSocketServer>((resume) => {
      const starting: WebSocketServer = new WebSocketServer({ port: 0, host: "127.0.0.1" }, () =>
        resume(Effect.succeed(starting))
      )
    }),
    (running) =>
      Effect.callback<void>((resume) => {
        for (const socket of running.clients) socket.terminate()
        running.close(() => resume(Effect.void))
      })
  )
  const { port } = server.address() as AddressInfo
  const node: WsNode = { url: `ws://127.0.0.1:${port}/v2/path-key-123?apikey=query-key-456`, server, events, manners }
  server.on("connection", (socket) => {
    Queue.offerUnsafe(events, "open")
    socket.on("message", (data) => Queue.offerUnsafe(events, JSON.parse(String(data)).method))
    socket.on("close", () => Queue.offerUnsafe(events, "closed"))
    node.manners(socket)
  })
  return node
})
