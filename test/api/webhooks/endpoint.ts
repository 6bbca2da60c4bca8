import { Effect, Queue } from "effect"
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/** What came to an endpoint. */
export interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Answers a request, in its own time. */
export type Reply = (response: ServerResponse, received: Received) => unknown

export const status =
  (code: number, headers: Readonly<Record<string, string>> = {}): Reply =>
  (response) =>
    response.writeHead(code, headers).end("so it is")

/** A real server on this machine that gives the replies one after the other, the last one for ever. */
export const endpoint = Effect.fnUntraced(function* (...replies: ReadonlyArray<Reply>) {
  const received = yield* Queue.unbounded<Received>()
  const left = [...replies]
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const one = { path: request.url ?? "", headers: request.headers, body: Buffer.concat(chunks).toString() }
      const reply = (left.length > 1 ? left.shift() : left[0]) ?? status(200)
      reply(response, one)
      Queue.offerUnsafe(received, one)
    })
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )
  const { port } = server.address() as AddressInfo
  return { port, url: `http://127.0.0.1:${port}/hook`, next: Queue.take(received), size: Queue.size(received) }
})
