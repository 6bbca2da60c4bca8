import { createAdaptorServer, type HttpBindings, type ServerType } from "@hono/node-server"
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response"
import { Effect, Schema } from "effect"
import type { Server } from "node:http"
import type { AddressInfo } from "node:net"

/** There is no port to listen on. */
export class ListenError extends Schema.TaggedError<ListenError>()("ListenError", { message: Schema.String }) {}

/** Answers a request; with `cut` and `silence` also as no server should. */
export type Answering = (request: Request, env: HttpBindings) => Response | Promise<Response>

const ANY_PORT = 0

/**
 * Serves HTTP on loopback until the scope closes, which cuts all connections: on the preferred port or, where that is
 * taken, on any. Gives the URL.
 */
export const listen = (answer: Answering, preferred = ANY_PORT) =>
  Effect.acquireRelease(
    Effect.catch(bind(answer, preferred), () => bind(answer, ANY_PORT)),
    (server) => Effect.sync(() => (server.close(), (server as Server).closeAllConnections()))
  ).pipe(Effect.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`))

/**
 * Clients are asked to use an idle connection for 5 s at the most (Node's default), and it is closed so much later. With
 * Node's own 1 s a busy server closes connections on which the next request is just coming.
 */
const LATE_REQUEST_MS = 30_000

const bind = (answer: Answering, port: number): Effect.Effect<ServerType, ListenError> =>
  Effect.callback((resume) => {
    const server = createAdaptorServer({
      fetch: (request, env) => answer(request, env as HttpBindings),
      serverOptions: { keepAliveTimeoutBuffer: LATE_REQUEST_MS }
    })
    server.once("error", ({ message }) => resume(new ListenError({ message: `cannot listen: ${message}` })))
    server.listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
  })

/** Ends with the connection, which is cut when the server ends. */
export const silence = (): Promise<never> => new Promise(() => undefined)

export const cut = ({ outgoing }: HttpBindings): Response => {
  outgoing.destroy()
  return RESPONSE_ALREADY_SENT
}
