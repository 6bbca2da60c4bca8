import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer } from "effect"
import { createServer, type Server } from "node:http"
import type { Socket } from "node:net"
import { Settings } from "../config/Settings.ts"
import { refuse, refuseExpectation, REQUEST_MS_MAX } from "./refusals.ts"
import { keepPlaces } from "./sockets.ts"

/** Requests that are under way at a stop are few and short; listeners are told at once. */
const STOP_WITHIN = "1 second"

/**
 * A socket on which nothing moves for so long is nobody's. Longer than the longest answer takes: a reconciliation is
 * given two minutes. Events beat every 10 seconds.
 */
const SILENT_SOCKET_MS = 150_000

/** How often Node looks for requests that take too long: without it they would be cut up to half a minute late. */
const CHECK_MS = 1_000

const makeServer = (): Server => {
  const server = createServer({
    requestTimeout: REQUEST_MS_MAX,
    headersTimeout: REQUEST_MS_MAX,
    connectionsCheckingInterval: CHECK_MS,
    // Node would refuse it without a word: `manners` does it with one.
    requireHostHeader: false
  })
  keepPlaces(server)
  server.setTimeout(SILENT_SOCKET_MS)
  server.on("clientError", (error, socket) => refuse(error, socket as Socket))
  server.on("checkExpectation", refuseExpectation)
  return server
}

/** Closes whatever does not end by itself, so that nobody's slow connection holds a stop up. */
const closing = (server: Server) =>
  Layer.effectDiscard(
    Effect.addFinalizer(() =>
      Effect.sync(() => {
        server.closeAllConnections()
      })
    )
  )

/** A socket at `OPS_HOST` and `OPS_PORT`, until the scope closes. */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const { opsHost: host, opsPort: port } = yield* Settings
    const server = makeServer()
    return closing(server).pipe(
      Layer.provideMerge(NodeHttpServer.layer(() => server, { host, port, gracefulShutdownTimeout: STOP_WITHIN }))
    )
  })
)
