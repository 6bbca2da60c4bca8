import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer } from "effect"
import { createServer, type Server } from "node:http"
import type { Socket } from "node:net"
import { Settings } from "../config/Settings.ts"
import { refuse, refuseExpectation, refuseWithoutRoutes, REQUEST_MS_MAX } from "./malformedRequests.ts"
import { keepPlaces } from "./sockets.ts"

/** Requests that are under way at a stop are few and short; event streams are ended at once. */
const STOP_WITHIN = "1 second"

/**
 * Sockets that are idle for so long are closed. Longer than the longest answer takes: a reconciliation is given two
 * minutes. Event streams carry a beat every 10 seconds.
 */
const IDLE_SOCKET_MS = 150_000

/** How often Node checks for requests that take too long: by default they would be cut up to half a minute late. */
const CHECK_MS = 1_000

const makeServer = (): Server => {
  const server = createServer({
    requestTimeout: REQUEST_MS_MAX,
    headersTimeout: REQUEST_MS_MAX,
    connectionsCheckingInterval: CHECK_MS,
    // Node would refuse it with an empty answer: the middleware says why.
    requireHostHeader: false
  })
  keepPlaces(server)
  server.setTimeout(IDLE_SOCKET_MS)
  server.on("clientError", (error, socket) => refuse(error, socket as Socket))
  server.on("checkExpectation", refuseExpectation)
  refuseWithoutRoutes(server)
  return server
}

/** Closes what does not end by itself, so that no slow connection delays a stop. */
const closeConnections = (server: Server) =>
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
    return closeConnections(server).pipe(
      Layer.provideMerge(NodeHttpServer.layer(() => server, { host, port, gracefulShutdownTimeout: STOP_WITHIN }))
    )
  })
)
