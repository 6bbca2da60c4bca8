import { Effect, Queue } from "effect"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/** A request as it arrived, whole. */
export interface Arrival {
  readonly method: string | undefined
  readonly path: string | undefined
  readonly headers: IncomingMessage["headers"]
  readonly body: string
}

/** What the server does once a request is there. */
export type Script = (response: ServerResponse, request: IncomingMessage) => void

/** An answer that is whole. Text is sent as text, everything else as JSON. */
export const answers =
  (status: number, headers: Record<string, string> = {}, body: unknown = {}): Script =>
  (response) => {
    const type = typeof body === "string" ? "text/plain" : "application/json"
    response
      .writeHead(status, { "content-type": type, ...headers })
      .end(typeof body === "string" ? body : JSON.stringify(body))
  }

export const neverAnswers: Script = () => {}
export const closesAtOnce: Script = (_, request) => request.socket.destroy()
export const closesInTheBody: Script = (response, request) => {
  response.writeHead(200, { "content-length": "100" })
  response.write('{"mintTxHash":"', () => request.socket.destroy())
}
export const stopsInTheBody: Script = (response) => {
  response.writeHead(200, { "content-length": "100" })
  response.write("{")
}
export const talksOnAndOn: Script = (response) => {
  const chunk = "a".repeat(65_536)
  const more = (): void => {
    while (response.writable) if (!response.write(chunk)) return void response.once("drain", more)
  }
  more()
}
export const speaksAnotherTongue: Script = (_, request) => request.socket.end("220 mail.example ESMTP\r\n\r\n")

/**
 * A `node:http` server that plays one script for each request, the last one again and again. Arrivals and closed
 * connections can be awaited: no test here waits for time to pass.
 */
export const scriptedServer = Effect.fnUntraced(function* (...scripts: ReadonlyArray<Script>) {
  const arrivals = yield* Queue.unbounded<Arrival>()
  const closed = yield* Queue.unbounded<"whole" | "cut">()
  let served = 0
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const { method, url, headers } = request
      const body = Buffer.concat(chunks).toString("utf8")
      const script = scripts[Math.min(served++, scripts.length - 1)]
      script?.(response, request)
      Queue.offerUnsafe(arrivals, { method, path: url, headers, body })
    })
    response.on("close", () => Queue.offerUnsafe(closed, response.writableFinished ? "whole" : "cut"))
  })
  const url = yield* Effect.acquireRelease(
    Effect.callback<string>((resume) => {
      server.listen(0, "127.0.0.1", () =>
        resume(Effect.succeed(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
      )
    }),
    () => Effect.sync(() => (server.closeAllConnections(), server.close()))
  )
  return {
    url,
    /** The next request that has arrived in full. */
    arrival: Queue.take(arrivals),
    /** How the next connection ended: after the whole answer, or cut. */
    closed: Queue.take(closed),
    /** How many requests came. */
    served: Effect.sync(() => served)
  }
})
