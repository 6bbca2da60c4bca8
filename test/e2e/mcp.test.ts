import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { randomBytes } from "node:crypto"
import { join } from "node:path"
import { askSandbox } from "../../src/sandbox/askSandbox.ts"
import * as DevChain from "../../src/sandbox/DevChain.ts"
import { findSandbox } from "../../src/sandbox/sandboxFile.ts"
import { overHttp, overStdio } from "../api/mcp/client.ts"
import { closedPort, mintsTo, ROOT, startExecutor, temporaryDirectory, TIMEOUT_MS } from "./support.ts"

const AI_MINT_MCP = ["--import", join(ROOT, "src/guard.js"), join(ROOT, "src/cli/main.ts"), "mcp"]

const META = {
  _meta: {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "a-test", version: "1.0.0" },
    "io.modelcontextprotocol/clientCapabilities": {}
  }
}

const LAST = "the-last-one"

/** A local network whose sample order is completed, and the agents that work on it. */
const network = Effect.gen(function* () {
  const cwd = yield* temporaryDirectory
  const port = yield* closedPort
  const env = { CHECK_INTERVAL: "500ms", MINT_INTERVAL: "500ms", OPS_PORT: String(port) }
  const executor = yield* startExecutor(cwd, env)
  yield* executor.line("processing → completed")
  const dataDir = join(cwd, ".data")
  const { rpcUrl, token } = yield* findSandbox(dataDir)
  const chain = DevChain.connect(rpcUrl)
  const pay = (order: string) => askSandbox({ dataDir }, ({ orders }) => orders.pay({ params: { order }, payload: {} }))
  return {
    where: { cwd, env },
    url: `http://127.0.0.1:${port}`,
    token,
    mintedTo: (user: string) => mintsTo(chain, token, user),
    pay
  }
})

type Agent = Effect.Success<ReturnType<typeof overHttp>>

/** Has an agent take a person from nothing to tokens: quote, order, pay, follow. Gives the order. */
const orderAndFollow = Effect.fnUntraced(function* (
  { call }: Agent,
  { pay, mintedTo, token }: Effect.Success<typeof network>,
  quantity: number
) {
  const user = `0x${randomBytes(20).toString("hex")}`
  const { quote } = (yield* call("quote_mint", { user, token, quantity })).structured
  const wish = { user, token, quantity, quoteId: quote.quoteId }
  const { order, isNew, summary } = (yield* call("place_order", wish)).structured
  assert.isTrue(isNew)
  const due = { amountDue: `${quantity}000000`, payTo: order.agentAddress, payBy: order.deadline }
  assert.deepInclude(order, { paymentState: "unpaid", nextAction: "pay", ...due })
  assert.include(summary, `send exactly ${quantity}.00 USDC (${quantity}000000 base units) to ${quote.payTo}`)
  const again = (yield* call("place_order", wish)).structured
  assert.deepStrictEqual([again.isNew, again.order.id], [false, order.id])
  yield* pay(order.id)
  let followed = order
  while (!["completed", "failed", "cancelled"].includes(followed.status)) {
    followed = (yield* call("wait_for_order", { order: order.id })).structured.order
  }
  assert.deepInclude(followed, { status: "completed", mintsCompleted: quantity })
  assert.deepInclude(followed, { paymentState: "settled", nextAction: "none", amountDue: "0", payTo: null })
  assert.strictEqual(yield* mintedTo(user), quantity)
  return order.id as string
})

/** `ai-mint mcp` that is written to as it comes, to its end; there is no executor. */
const spoken = Effect.fnUntraced(function* (lines: ReadonlyArray<string>) {
  const cwd = yield* temporaryDirectory
  const env = { PATH: process.env["PATH"], OPS_PORT: String(yield* closedPort) }
  return yield* Effect.promise(
    () =>
      new Promise<{ code: number | null; answers: ReadonlyArray<string>; log: string }>((resolve) => {
        const said = { out: "", log: "" }
        const child = execFile(process.execPath, AI_MINT_MCP, { cwd, env }, () => undefined)
        child.stdout?.on("data", (text: string) => {
          said.out += text
          // The last line is answered last: what is still unanswered then never is.
          if (said.out.includes(LAST)) child.stdin?.end()
        })
        child.stderr?.on("data", (text: string) => (said.log += text))
        child.once("close", (code) => resolve({ code, answers: said.out.trim().split("\n"), log: said.log }))
        for (const line of lines) child.stdin?.write(`${line}\n`)
      })
  )
})

describe("ai-mint mcp", () => {
  it.live(
    "writes nothing but the protocol, survives what is none, and ends with its input",
    () =>
      Effect.gen(function* () {
        const { code, answers, log } = yield* spoken([
          JSON.stringify({ a: 1 }),
          "5",
          JSON.stringify([{ jsonrpc: "2.0", id: 1, method: "tools/list" }]),
          JSON.stringify({ jsonrpc: "2.0", id: 2, method: "nope", params: META }),
          JSON.stringify({ jsonrpc: "2.0", id: 3, method: "tools/list" }),
          JSON.stringify({
            jsonrpc: "2.0",
            id: LAST,
            method: "tools/call",
            params: { name: "get_order", arguments: { order: "00000000" }, ...META }
          })
        ])
        const parsed = answers.map((line) => JSON.parse(line) as Record<string, unknown>)
        const byId = new Map(parsed.map((answer) => [answer["id"], JSON.stringify(answer)]))
        assert.include(byId.get(null), "batches are not supported")
        assert.include(byId.get(2), "Method not found: nope")
        assert.include(byId.get(3), "Invalid request metadata")
        assert.include(byId.get(LAST), '"isError":true')
        assert.match(
          byId.get(LAST) ?? "",
          /No executor answers at \S+ \(ECONNREFUSED\)\. No money has moved by this call/
        )
        assert.strictEqual(code, 0, log)
      }),
    TIMEOUT_MS
  )
})

describe("an agent on the local network", () => {
  it.live(
    "orders, pays and follows by itself to the tokens in the person's wallet, over stdio and over HTTP",
    () =>
      Effect.gen(function* () {
        const there = yield* network
        const modern = yield* overStdio(there.where, "2026-07-28")
        yield* orderAndFollow(modern, there, 2)
        const legacy = yield* overStdio(there.where, "legacy")
        yield* orderAndFollow(legacy, there, 1)
        const remote = yield* overHttp(there.url)
        const order = yield* orderAndFollow(remote, there, 3)
        const { contents } = yield* Effect.promise(() =>
          remote.client.readResource({ uri: `order://${order}/explain` })
        )
        const [story] = contents
        assert.include(story !== undefined && "text" in story ? story.text : "", "3 of 3 mints delivered")
        const refused = yield* remote.call("cancel_order", { order, why: "too late" })
        assert.isTrue(refused.isError)
        assert.include(refused.text, `order ${order} has ended already: it is completed`)
      }),
    TIMEOUT_MS
  )
})
