import * as McpProtocol from "effect/ai/McpProtocol"
import * as McpServer from "effect/ai/McpServer"
import { HttpRouter } from "effect/http"
import { registrations, SERVER } from "./registrations.ts"

/**
 * Answers a request to `path`. A request has a server of its own, which ends with it: there are no sessions, which is why
 * only the stateless protocol is spoken here. A client that goes away ends the call that it waits for.
 */
export const make = (path: HttpRouter.PathInput) =>
  HttpRouter.toHttpEffect(
    McpServer.layerHttpRequestScoped({ ...SERVER, path, protocols: [McpProtocol.v2026_07_28], registrations })
  )
