import { ProblemDetails } from "effect/http"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Socket } from "node:net"

/** The whole of a request must be there by then, in milliseconds: it is small. */
export const REQUEST_MS_MAX = 15_000

interface Refusal {
  readonly status: number
  readonly title: string
  readonly detail: string
}

const NO_HTTP: Refusal = { status: 400, title: "Bad Request", detail: "This is no HTTP request." }

/** What Node's parser does not take, by the code of its error. */
const REFUSALS: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    title: "Request Header Fields Too Large",
    detail: "Path and headers together may have 16 KiB."
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    title: "Request Timeout",
    detail: `The whole of a request must be there within ${REQUEST_MS_MAX / 1000} seconds.`
  }
}

const EXPECTATION: Refusal = {
  status: 417,
  title: "Expectation Failed",
  detail: "Nothing is expected of this server but 100-continue."
}

const problemText = (refusal: Refusal): string => JSON.stringify({ type: "about:blank", ...refusal })

/** Answers a request that Node's parser does not take, unless the connection is gone. */
export const refuse = (error: NodeJS.ErrnoException, socket: Socket): void => {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy()
  const refusal = REFUSALS[error.code ?? ""] ?? NO_HTTP
  const body = problemText(refusal)
  const head = `HTTP/1.1 ${refusal.status} ${refusal.title}\r\nConnection: close\r\nContent-Type: ${ProblemDetails.contentType}\r\n`
  socket.end(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}

/** Node would answer with an empty body. */
export const refuseExpectation = (_request: IncomingMessage, response: ServerResponse): void => {
  const body = problemText(EXPECTATION)
  const headers = { "content-type": ProblemDetails.contentType, "content-length": Buffer.byteLength(body) }
  response.writeHead(EXPECTATION.status, headers).end(body)
}
