import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { TOKEN } from "../served.ts"
import { completed, servingMcp } from "./given.ts"

const META = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "a-test", version: "1.0.0" },
  "io.modelcontextprotocol/clientCapabilities": {}
}

/** A request as the protocol has it, but for what is given. */
const rpc = (method: string, params: Record<string, unknown> = {}, more: Record<string, unknown> = {}) => ({
  jsonrpc: "2.0",
  id: 1,
  method,
  params: { _meta: META, ...params },
  ...more
})

const getOrder = rpc("tools/call", { name: "get_order", arguments: { order: completed.id } })

const HEADERS = {
  authorization: `Bearer ${TOKEN}`,
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
  "mcp-protocol-version": "2026-07-28",
  "mcp-method": "tools/call",
  "mcp-name": "get_order"
}

const OLDER = { "mcp-protocol-version": undefined, "mcp-method": undefined, "mcp-name": undefined }

interface Ask {
  readonly method?: string
  readonly path?: string
  readonly body?: unknown
  readonly headers?: Record<string, string | undefined>
}

/** `/mcp`, as a program asks it that is no MCP client. */
const asking = Effect.gen(function* () {
  const url = yield* servingMcp({ showTask: () => Effect.succeed(completed) })
  return Effect.fnUntraced(function* ({ method = "POST", path = "/mcp", body = getOrder, headers = {} }: Ask) {
    // Another second, as far as the rate limit goes.
    yield* TestClock.adjust("1 second")
    const sent = Object.entries({ ...HEADERS, ...headers }).filter(
      (pair): pair is [string, string] => pair[1] !== undefined
    )
    const text = typeof body === "string" ? body : JSON.stringify(body)
    return yield* Effect.promise(async () => {
      const response = await fetch(url + path, {
        method,
        headers: Object.fromEntries(sent),
        ...(method === "GET" ? {} : { body: text })
      })
      const said = await response.text()
      return {
        status: response.status,
        headers: response.headers,
        text: said,
        json: said === "" ? undefined : JSON.parse(said)
      }
    })
  })
})

describe("what is no MCP request", () => {
  it.effect("is answered before it reaches a tool", () =>
    Effect.gen(function* () {
      const ask = yield* asking
      const right = yield* ask({})
      assert.deepStrictEqual([right.status, right.json.result?.isError], [200, false], right.text)
      const cases: ReadonlyArray<readonly [string, Ask, number]> = [
        ["no key", { headers: { authorization: undefined } }, 401],
        ["a wrong key", { headers: { authorization: "Bearer a-wrong-one-of-16-chars" } }, 401],
        ["no bearer", { headers: { authorization: `Basic ${TOKEN}` } }, 401],
        ["a page of another site", { headers: { origin: "https://elsewhere.example" } }, 403],
        ["a GET", { method: "GET" }, 405],
        ["a DELETE", { method: "DELETE" }, 405],
        ["another path below", { path: "/mcp/x" }, 404],
        ["another type", { headers: { "content-type": "text/plain" } }, 415],
        ["one answer only", { headers: { accept: "application/json" } }, 406],
        ["a batch", { body: [getOrder, getOrder] }, 400],
        ["an empty batch", { body: [] }, 400],
        ["another version", { headers: { "mcp-protocol-version": "1999-01-01" } }, 400],
        ["an older protocol", { body: rpc("initialize"), headers: OLDER }, 400],
        ["another method than its header", { headers: { "mcp-method": "tools/list" } }, 400],
        ["another tool than its header", { headers: { "mcp-name": "cancel_order" } }, 400],
        ["no metadata", { body: { jsonrpc: "2.0", id: 1, method: "tools/call", params: {} } }, 400],
        [
          "a method that there is not",
          { body: rpc("nope"), headers: { "mcp-method": "nope", "mcp-name": undefined } },
          404
        ]
      ]
      for (const [what, request, status] of cases) {
        const answer = yield* ask(request)
        assert.strictEqual(answer.status, status, `${what}: ${answer.text}`)
        assert.isNotEmpty(answer.text, what)
      }
      const get = yield* ask({ method: "GET" })
      assert.strictEqual(get.headers.get("allow"), "POST")
      assert.strictEqual(
        (yield* ask({ headers: { authorization: undefined } })).headers.get("www-authenticate"),
        "Bearer"
      )
      for (const body of ["null", "5", '"x"', "{}"]) assert.strictEqual((yield* ask({ body })).status, 400, body)
    })
  )

  it.effect("says to a client of an older protocol what it uses instead", () =>
    Effect.gen(function* () {
      const ask = yield* asking
      const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "older", version: "1" } }
      const body = { jsonrpc: "2.0", id: 7, method: "initialize", params }
      const { json } = yield* ask({ body, headers: OLDER })
      assert.deepInclude(json, { jsonrpc: "2.0", id: 7 })
      assert.deepInclude(json.error, { code: -32_022, data: { supported: ["2026-07-28"], requested: "2025-06-18" } })
      assert.include(json.error.message, "ai-mint mcp")
    })
  )

  it.effect("has an error of JSON-RPC where it is no JSON, or more than 16 KiB", () =>
    Effect.gen(function* () {
      const ask = yield* asking
      for (const body of ["{nope", "", JSON.stringify({ ...getOrder, more: "x".repeat(17_000) })]) {
        assert.deepInclude((yield* ask({ body })).json.error, { code: -32700, message: "Parse error" })
      }
    })
  )

  it.effect("counts against the rate limit of its address", () =>
    Effect.gen(function* () {
      const url = yield* servingMcp({})
      const statuses = yield* Effect.promise(() =>
        Promise.all(Array.from({ length: 40 }, async () => (await fetch(`${url}/mcp`, { method: "POST" })).status))
      )
      assert.lengthOf(
        statuses.filter((status) => status === 429),
        10
      )
    })
  )
})
