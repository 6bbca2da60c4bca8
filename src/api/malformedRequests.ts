import { ProblemDetails } from "effect/http"
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { problemBody } from "./problemBodies.ts"

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

const NOT_READY: Refusal = {
  status: 503,
  title: "Service Unavailable",
  detail: "The executor is starting or stopping."
}

const problemText = (refusal: Refusal): string => JSON.stringify(problemBody(refusal))

/** Answers a request that Node's parser does not take, unless the connection is gone. */
export const refuse = (error: NodeJS.ErrnoException, socket: Socket): void => {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy()
  const refusal = REFUSALS[error.code ?? ""] ?? NO_HTTP
  const body = problemText(refusal)
  const head = `HTTP/1.1 ${refusal.status} ${refusal.title}\r\nConnection: close\r\nContent-Type: ${ProblemDetails.contentType}\r\n`
  socket.end(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}

const answer = (response: ServerResponse, refusal: Refusal): void => {
  const body = problemText(refusal)
  const headers = { "content-type": ProblemDetails.contentType, "content-length": Buffer.byteLength(body) }
  response.writeHead(refusal.status, headers).end(body)
}

/** Node would answer with an empty body. */
export const refuseExpectation = (_request: IncomingMessage, response: ServerResponse): void =>
  answer(response, EXPECTATION)

/**
 * The socket is open before the routes are ready, and for a moment after they are gone. What is asked then, such as by a
 * probe that polls from the start on, would never be answered. Routes are listeners that come after this one.
 */
export const refuseWithoutRoutes = (server: Server): void => {
  const own = server.listenerCount("request") + 1
  server.on("request", (_request, response) => {
    if (server.listenerCount("request") === own) answer(response, NOT_READY)
  })
}
