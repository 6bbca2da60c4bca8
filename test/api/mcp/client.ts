import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import { Effect } from "effect"
import { join } from "node:path"
import { ROOT } from "../../e2e/support.ts"

/** `legacy`: the newest protocol that has sessions. */
export type Protocol = "2026-07-28" | "legacy"

/** What a tool answered. */
export interface ToolAnswer {
  readonly isError: boolean
  readonly text: string
  readonly structured: any
}

type Transport = Parameters<Client["connect"]>[0]

/** The official client, until the scope closes. */
const connect = Effect.fnUntraced(function* (transport: Transport, protocol: Protocol) {
  const mode = protocol === "legacy" ? "legacy" : { pin: protocol }
  const client = yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const made = new Client({ name: "a-test", version: "1.0.0" }, { versionNegotiation: { mode } })
      await made.connect(transport)
      return made
    }),
    (made) => Effect.promise(() => made.close())
  )
  const call = (name: string, args: Record<string, unknown> = {}) =>
    Effect.promise(async (signal): Promise<ToolAnswer> => {
      const { isError, content, structuredContent } = await client.callTool({ name, arguments: args }, { signal })
      const text = content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n")
      return { isError: isError === true, text, structured: structuredContent }
    })
  return { client, call }
})

/** Over HTTP, with the key as an agent's configuration has it. */
export const overHttp = (url: string, token?: string) => {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return connect(new StreamableHTTPClientTransport(new URL("/mcp", url), { requestInit: { headers } }), "2026-07-28")
}

interface Where {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

/** With `ai-mint mcp` as a process of the client's. */
export const overStdio = ({ cwd, env }: Where, protocol: Protocol) => {
  const args = ["--import", join(ROOT, "src/guard.js"), join(ROOT, "src/cli/main.ts"), "mcp"]
  return connect(new StdioClientTransport({ command: process.execPath, args, cwd, env: { ...env } }), protocol)
}
