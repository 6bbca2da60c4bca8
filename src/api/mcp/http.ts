import { Effect, Schema } from "effect"
import * as McpProtocol from "effect/ai/McpProtocol"
import { UNSUPPORTED_PROTOCOL_VERSION_ERROR_CODE } from "effect/ai/McpSchema"
import * as McpServer from "effect/ai/McpServer"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { registrations, SERVER } from "./registrations.ts"

/**
 * Answers a request to `path`. A request has a server of its own, which ends with it: there are no sessions, which is why
 * only the stateless protocol is spoken here. A client that goes away ends the call that it waits for.
 */
export const make = (path: HttpRouter.PathInput) =>
  HttpRouter.toHttpEffect(
    McpServer.layerHttpRequestScoped({ ...SERVER, path, protocols: [PROTOCOL], registrations })
  ).pipe(
    Effect.map((server) =>
      Effect.flatMap(olderClient, (asked) => (asked === undefined ? server : Effect.succeed(refusal(asked))))
    )
  )

const PROTOCOL = McpProtocol.v2026_07_28

/** How a client of a protocol with sessions begins, which has no header for its version yet. */
const Initialize = Schema.Struct({
  id: Schema.Union([Schema.String, Schema.Number]),
  method: Schema.Literal("initialize"),
  params: Schema.Struct({ protocolVersion: Schema.String })
})

const olderClient = Effect.gen(function* () {
  const request = yield* HttpServerRequest.HttpServerRequest
  if (request.method !== "POST" || request.headers["mcp-protocol-version"] !== undefined) return undefined
  return yield* request.json.pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(Initialize)),
    // The server answers what cannot be read.
    Effect.orElseSucceed(() => undefined)
  )
})

/** The server would only say that a header is missing, which helps no one who configures an agent. */
const refusal = ({ id, params: { protocolVersion } }: typeof Initialize.Type) =>
  HttpServerResponse.jsonUnsafe(
    {
      jsonrpc: "2.0",
      id,
      error: {
        code: UNSUPPORTED_PROTOCOL_VERSION_ERROR_CODE,
        message:
          `Over HTTP only protocol ${PROTOCOL.protocolVersion} is spoken here, and this client begins with ` +
          `${protocolVersion}: have it use that one, or start the program \`ai-mint mcp\`, which speaks the older ones.`,
        data: { supported: [PROTOCOL.protocolVersion], requested: protocolVersion }
      }
    },
    { status: 400 }
  )
