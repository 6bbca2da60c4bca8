import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Faults from "../../src/sandbox/faults.ts"
import { listen } from "../../src/sandbox/listen.ts"
import { serve } from "../../src/sandbox/RpcProxy.ts"

const HEAD = 0x64n

/** What the node was asked, request by request. */
type Asked = Array<{ readonly method: string; readonly params: ReadonlyArray<unknown> }>

const ANSWERS: Readonly<Record<string, unknown>> = {
  eth_chainId: "0x7a69",
  eth_getLogs: [{ blockNumber: "0x10" }],
  eth_getTransactionReceipt: { blockNumber: "0x60" },
  eth_getBlockByHash: { number: "0x60" },
  eth_getTransactionByHash: { blockNumber: null },
  eth_call: "0x01"
}

/** A node at block 100 that writes down what it is asked, and a proxy in front of it. */
const open = Effect.gen(function* () {
  const asked: Asked = []
  const node = { head: HEAD, asked, requests: 0 }
  const answer = (call: Asked[number] & { readonly id: unknown }) => {
    node.asked.push({ method: call.method, params: call.params })
    const result =
      call.method === "eth_blockNumber" ? `0x${node.head.toString(16)}` : (ANSWERS[call.method] ?? call.params[0])
    return { jsonrpc: "2.0", id: call.id, result }
  }
  const target = yield* listen(async (request) => {
    node.requests++
    const calls = JSON.parse(await request.text())
    return Response.json(Array.isArray(calls) ? calls.map(answer) : answer(calls))
  })
  const faults = Faults.make()
  const { url } = yield* serve({ target, faults })
  const ask = (body: unknown) =>
    Effect.tryPromise(async (signal) => {
      const response = await fetch(url, { method: "POST", body: JSON.stringify(body), signal })
      return { status: response.status, text: await response.text() }
    })
  /** The answer to one call: its result, or its error. */
  const call = Effect.fnUntraced(function* (method: string, ...params: ReadonlyArray<unknown>) {
    const { text } = yield* ask({ jsonrpc: "2.0", id: 7, method, params })
    const answer = JSON.parse(text) as { readonly id: number; readonly result?: unknown; readonly error?: unknown }
    assert.strictEqual(answer.id, 7)
    return "error" in answer ? answer.error : answer.result
  })
  return { node, faults, ask, call }
})

describe("the proxy in front of a node", () => {
  it.live("hands on what comes, one call or several, as long as nothing is to go wrong", () =>
    Effect.gen(function* () {
      const { node, ask, call } = yield* open
      assert.strictEqual(yield* call("eth_blockNumber"), "0x64")
      const batch = [
        { jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [] },
        { jsonrpc: "2.0", id: 2, method: "eth_getLogs", params: [{ fromBlock: "0x0", toBlock: "latest" }] }
      ]
      assert.deepStrictEqual(JSON.parse((yield* ask(batch)).text), [
        { jsonrpc: "2.0", id: 1, result: "0x7a69" },
        { jsonrpc: "2.0", id: 2, result: [{ blockNumber: "0x10" }] }
      ])
      assert.strictEqual(node.requests, 2)
      assert.deepStrictEqual(node.asked.at(-1)?.params, [{ fromBlock: "0x0", toBlock: "latest" }])
    })
  )

  it.live.each([
    ["rpc-429", 429],
    ["rpc-500", 500],
    ["rpc-503", 503]
  ] as const)("%s: answers %s, as often as asked, and the node hears nothing", ([kind, status]) =>
    Effect.gen(function* () {
      const { node, faults, ask, call } = yield* open
      faults.set([{ kind, times: 2 }])
      for (const _ of [1, 2])
        assert.strictEqual((yield* ask({ id: 1, method: "eth_chainId", params: [] })).status, status)
      assert.strictEqual(node.requests, 0)
      assert.strictEqual(yield* call("eth_chainId"), "0x7a69")
      assert.deepStrictEqual(faults.injected(), { [kind]: 2 })
    })
  )

  it.live("resets, breaks off, and does not answer at all", () =>
    Effect.gen(function* () {
      const { faults, ask, call } = yield* open
      faults.set([{ kind: "rpc-reset", times: 1 }])
      assert.strictEqual((yield* Effect.exit(ask({})))._tag, "Failure")
      faults.set([{ kind: "rpc-malformed", times: 1 }])
      assert.strictEqual((yield* Effect.exit(call("eth_chainId")))._tag, "Failure")
      faults.set([{ kind: "rpc-hang", times: 1 }])
      const silent = yield* Effect.timeoutOption(call("eth_chainId"), "200 millis")
      assert.strictEqual(silent._tag, "None")
      assert.strictEqual(yield* call("eth_chainId"), "0x7a69")
    })
  )

  it.live("tells another chain, and no logs", () =>
    Effect.gen(function* () {
      const { faults, call } = yield* open
      faults.set([{ kind: "rpc-wrong-chain" }, { kind: "rpc-no-logs", times: 1 }])
      assert.strictEqual(yield* call("eth_chainId"), "0x7a6a")
      assert.strictEqual(yield* call("eth_blockNumber"), "0x64")
      assert.deepStrictEqual(faults.on().length, 2, "what has no logs in it takes no turn")
      assert.deepStrictEqual(yield* call("eth_getLogs", { fromBlock: "0x0", toBlock: "0x1" }), [])
      assert.deepStrictEqual(yield* call("eth_getLogs", { fromBlock: "0x0", toBlock: "0x1" }), [
        { blockNumber: "0x10" }
      ])
    })
  )

  it.live("spoils the logs that it gives", () =>
    Effect.gen(function* () {
      const { faults, call } = yield* open
      const logs = (...kinds: ReadonlyArray<Faults.FaultKind>) => {
        faults.set(kinds.map((kind) => ({ kind, times: 1 })))
        return call("eth_getLogs", { fromBlock: "0x0", toBlock: "0x1" })
      }
      const log = { blockNumber: "0x10" }
      assert.deepStrictEqual(yield* logs("rpc-logs-twice"), [log, log])
      assert.deepStrictEqual(yield* logs("rpc-logs-removed"), [{ ...log, removed: true }])
      assert.deepStrictEqual(yield* logs("rpc-logs-index"), [{ ...log, logIndex: "0x3e8" }])
      assert.strictEqual(((yield* logs("rpc-logs-foreign")) as ReadonlyArray<unknown>).length, 2)
      assert.deepStrictEqual(faults.injected(), {
        "rpc-logs-twice": 1,
        "rpc-logs-removed": 1,
        "rpc-logs-index": 1,
        "rpc-logs-foreign": 1
      })
    })
  )

  it.live("refuses logs of many blocks, in the words of providers", () =>
    Effect.gen(function* () {
      const { faults, call } = yield* open
      faults.set([{ kind: "rpc-range", blocks: 20 }])
      const refusal = { code: -32_602, message: "query exceeds max block range 20" }
      assert.deepStrictEqual(yield* call("eth_getLogs", { fromBlock: "0x1", toBlock: "0x15" }), refusal)
      assert.deepStrictEqual(yield* call("eth_getLogs", { fromBlock: "0x1" }), refusal, "up to the newest block")
      assert.deepStrictEqual(yield* call("eth_getLogs", { fromBlock: "0x1", toBlock: "0x14" }), [
        { blockNumber: "0x10" }
      ])
      assert.deepStrictEqual(faults.injected(), { "rpc-range": 2 })
    })
  )
})

describe("a node that is behind", () => {
  it.live("knows its own head, and nothing after it", () =>
    Effect.gen(function* () {
      const { node, faults, call } = yield* open
      faults.set([{ kind: "rpc-lag", blocks: 10 }])
      assert.strictEqual(yield* call("eth_blockNumber"), "0x5a")
      assert.isNull(yield* call("eth_getBlockByNumber", "0x5b", false))
      assert.strictEqual(yield* call("eth_getBlockByNumber", "latest", false), "0x5a")
      assert.strictEqual(yield* call("eth_getBlockByNumber", "0x5a", false), "0x5a")
      assert.strictEqual(yield* call("eth_getBlockByNumber", "earliest", false), "0x0")
      assert.deepStrictEqual(yield* call("eth_call", {}, "0x5b"), { code: -32_000, message: "header not found" })
      assert.strictEqual(yield* call("eth_call", {}, "latest"), "0x01")
      assert.deepStrictEqual(node.asked.at(-1), { method: "eth_call", params: [{}, "0x5a"] })
      yield* call("eth_getBalance", "0xaa")
      assert.deepStrictEqual(node.asked.at(-1), { method: "eth_getBalance", params: ["0xaa", "0x5a"] })
      for (const method of ["eth_getTransactionReceipt", "eth_getBlockByHash"]) assert.isNull(yield* call(method, "0x"))
      assert.deepStrictEqual(yield* call("eth_getTransactionByHash", "0x"), { blockNumber: null })
    })
  )

  it.live("gives the logs that it has, and says nothing of the blocks that it lacks", () =>
    Effect.gen(function* () {
      const { node, faults, call } = yield* open
      faults.set([{ kind: "rpc-lag", blocks: 10 }])
      yield* call("eth_getLogs", { address: "0xaa", fromBlock: "0x1", toBlock: "0x64" })
      assert.deepStrictEqual(node.asked.at(-1)?.params, [{ address: "0xaa", fromBlock: "0x1", toBlock: "0x5a" }])
      yield* call("eth_getLogs", { fromBlock: "0x1" })
      assert.deepStrictEqual(node.asked.at(-1)?.params, [{ fromBlock: "0x1", toBlock: "0x5a" }])
      assert.deepStrictEqual(yield* call("eth_getLogs", { fromBlock: "0x5b", toBlock: "0x64" }), [])
    })
  )

  it.live("answers a batch in its order, and the node is asked once", () =>
    Effect.gen(function* () {
      const { node, faults, ask } = yield* open
      faults.set([{ kind: "rpc-lag", blocks: 1_000 }])
      const methods = ["eth_chainId", "eth_blockNumber", "eth_call"]
      const calls = methods.map((method, id) => ({ jsonrpc: "2.0", id, method, params: [{}, "latest"] }))
      assert.deepStrictEqual(JSON.parse((yield* ask(calls)).text), [
        { jsonrpc: "2.0", id: 0, result: "0x7a69" },
        { jsonrpc: "2.0", id: 1, result: "0x0" },
        { jsonrpc: "2.0", id: 2, result: "0x01" }
      ])
      assert.strictEqual(node.requests, 2, "one for the head")
    })
  )

  it.live("stands still where it was frozen, until it is not", () =>
    Effect.gen(function* () {
      const { node, faults, call } = yield* open
      faults.set([{ kind: "rpc-frozen" }])
      assert.strictEqual(yield* call("eth_blockNumber"), "0x64")
      node.head = 0x70n
      assert.strictEqual(yield* call("eth_blockNumber"), "0x64")
      faults.set([{ kind: "rpc-frozen" }, { kind: "rpc-lag", blocks: 4 }])
      assert.strictEqual(yield* call("eth_blockNumber"), "0x60")
      faults.set([])
      assert.strictEqual(yield* call("eth_blockNumber"), "0x70")
      faults.set([{ kind: "rpc-frozen" }])
      node.head = 0x80n
      assert.strictEqual(yield* call("eth_blockNumber"), "0x80", "frozen at its first question")
    })
  )
})
