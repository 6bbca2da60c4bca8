import * as NodeStdio from "@effect/platform-node/NodeStdio"
import { Layer } from "effect"
import * as McpProtocol from "effect/ai/McpProtocol"
import * as McpServer from "effect/ai/McpServer"
import { registrations, SERVER } from "./registrations.ts"

/** Speaks MCP over stdin and stdout, in the version that the client begins with: one process is one session. */
export const layer = McpServer.layerStdio({
  ...SERVER,
  protocols: [
    McpProtocol.v2026_07_28,
    McpProtocol.v2025_11_25,
    McpProtocol.v2025_06_18,
    McpProtocol.v2025_03_26,
    McpProtocol.v2024_11_05
  ],
  registrations
}).pipe(Layer.provide(NodeStdio.layer))
