import { assert, describe, it } from "@effect/vitest"
import {
  BlockNotFoundError,
  HttpRequestError,
  ResponseBodyTooLargeError,
  RpcRequestError,
  TimeoutError,
  TransactionReceiptNotFoundError
} from "viem"
import { DoubtfulAnswer } from "../../src/chain/answers.ts"
import { classify, withoutSecrets } from "../../src/chain/classify.ts"
import { hostOf } from "../../src/ops/redact.ts"
import { bytes32 } from "./fakeChain.ts"

const URL_WITH_KEYS = "https://user-name:pass-word@rpc.example:8545/v2/path-key-123?apikey=query-key-456"

const status = (code: number, details = "") =>
  new HttpRequestError({ url: URL_WITH_KEYS, body: { method: "eth_call" }, status: code, details })

const refusal = (code: number, message: string, httpStatus?: number) =>
  new RpcRequestError({
    url: URL_WITH_KEYS,
    body: {},
    error: { code, message },
    ...(httpStatus && { status: httpStatus })
  })

describe("classify", () => {
  const table = [
    ["viem's own time limit", new TimeoutError({ url: URL_WITH_KEYS, body: {} }), "Timeout"],
    ["a gateway's 504", status(504, "Gateway Time-out"), "Unavailable"],
    ["a node that gave up on its own node", refusal(-32000, "context deadline exceeded"), "Timeout"],
    ["a node that gave up on a call", refusal(-32000, "execution timeout"), "Timeout"],
    ["a 429", status(429, "Too Many Requests"), "RateLimited"],
    ["Infura's word for a rate limit", refusal(-32005, "daily request count exceeded"), "RateLimited"],
    ["QuickNode's word for a rate limit", refusal(-32007, "15/second request limit reached"), "RateLimited"],
    [
      "Alchemy's word for a rate limit",
      refusal(429, "Your app has exceeded its compute units per second capacity"),
      "RateLimited"
    ],
    ["a rate limit told with 200 and another code", refusal(-32016, "over rate limit"), "RateLimited"],
    ["Infura's word for too many logs", refusal(-32005, "query returned more than 10000 results"), "TooLarge"],
    ["a block range that is too large", refusal(-32602, "block range is too large: max 2000"), "TooLarge"],
    [
      "Alchemy's cap of a free key",
      status(400, "Under the Free tier plan, you can make eth_getLogs requests with up to a 10 block range"),
      "TooLarge"
    ],
    ["a range that is too large, as geth says it", refusal(-32000, "exceed maximum block range: 5000"), "TooLarge"],
    ["Infura's cap of a range", refusal(-32602, "range 1000000 exceeds limit of 10000"), "TooLarge"],
    ["Infura's cap of a query's time", refusal(-32005, "query timeout exceeded"), "TooLarge"],
    ["reth's cap of results", refusal(-32602, "query exceeds max results 20000, retry with the range 1-2"), "TooLarge"],
    [
      "Erigon's cap of a range",
      refusal(-32000, "query block range exceeds server limit, narrow your filter: 1000"),
      "TooLarge"
    ],
    ["dRPC's cap of a range", refusal(35, "ranges over 10000 blocks are not supported on free plan", 400), "TooLarge"],
    ["1RPC's cap of a range", refusal(-32602, "eth_getLogs is limited to 0 - 50 blocks range"), "TooLarge"],
    ["Base's cap of an answer", refusal(-32020, "backend response too large"), "TooLarge"],
    [
      "dRPC's cap of a batch, which bears the code of a revert",
      refusal(3, "Batch of more than 3 requests are not allowed"),
      "Rejected"
    ],
    ["an answer larger than will be read", new ResponseBodyTooLargeError({ maxSize: 1, size: 2 }), "TooLarge"],
    ["a key that is no good", status(401, "Must be authenticated!"), "Rejected"],
    ["a method that is unknown", refusal(-32601, "the method eth_foo does not exist"), "Rejected"],
    ["parameters that are wrong", refusal(-32602, "invalid argument 0"), "Rejected"],
    ["a range that makes no sense, as geth says it", refusal(-32000, "invalid block range params"), "Rejected"],
    ["a redirect", status(307, "Temporary Redirect"), "Unavailable"],
    ["a node behind, as geth says it", refusal(-32000, "header not found"), "Lagging"],
    ["a node behind, as Erigon says it", refusal(-32000, "block not found: 123"), "Lagging"],
    ["a node behind, as Nethermind says it", refusal(-32001, "Unknown block"), "Lagging"],
    [
      "a node behind, as anvil says it",
      refusal(-32602, "BlockOutOfRangeError: block height is 5 but requested was 9"),
      "Lagging"
    ],
    [
      "a node behind, as reth says it of logs",
      refusal(-32602, "block range extends beyond current head block"),
      "Lagging"
    ],
    ["a node behind, as Base says it", refusal(-32014, "block not yet imported"), "Lagging"],
    ["a node without the state", refusal(-32000, "missing trie node 1234 (path )"), "Lagging"],
    ["a block that is not there", new BlockNotFoundError({ blockNumber: 9n }), "Lagging"],
    ["a receipt that is not there", new TransactionReceiptNotFoundError({ hash: bytes32(1) }), "Lagging"],
    ["a contract's revert", refusal(3, "execution reverted: ERC20: paused"), "Reverted"],
    ["a revert that comes without its code", refusal(-32000, "execution reverted"), "Reverted"],
    ["a call that burnt all its gas, as anvil says it", refusal(-32603, "EVM error OutOfGas"), "Reverted"],
    ["a 500", status(500, "oops"), "Unavailable"],
    ["a 503 of a load balancer", status(503, "<html>no healthy upstream</html>"), "Unavailable"],
    ["an internal error of the node", refusal(-32603, "internal error"), "Unavailable"],
    [
      "a load balancer that says so with 200",
      refusal(-32011, "no backend is currently healthy to serve traffic"),
      "Unavailable"
    ],
    ["dRPC without a node to ask", refusal(30, "Can't route your request to suitable provider"), "Unavailable"],
    ["a server error that comes as a JSON-RPC error", refusal(-32011, "no backends available", 503), "Unavailable"],
    [
      "a connection refused",
      new HttpRequestError({ url: URL_WITH_KEYS, cause: new TypeError("fetch failed") }),
      "Unavailable"
    ],
    [
      "a page of HTML with 200",
      new HttpRequestError({ url: URL_WITH_KEYS, cause: new SyntaxError("Unexpected token <") }),
      "Unreadable"
    ],
    ["an answer to another question", new DoubtfulAnswer("asked for block 5 and given block 6"), "Doubtful"],
    ["an answer of another shape", Object.assign(new Error("Expected string"), { name: "SchemaError" }), "Unreadable"],
    ["a fault of our own", new TypeError("x is not a function"), "Unreadable"],
    ["something that is no error", "what?", "Unreadable"]
  ] as const

  it.each(table)("calls %s what it is", (_, error, reason) => {
    assert.strictEqual(classify(error, URL_WITH_KEYS).reason, reason)
  })

  it("keeps the node's own words and the HTTP status", () => {
    assert.strictEqual(classify(status(503, "try later"), URL_WITH_KEYS).detail, "HTTP 503: try later")
    assert.strictEqual(classify(refusal(-32000, "header not found"), URL_WITH_KEYS).detail, "header not found")
  })

  it("names what kept the connection from opening", () => {
    const refused = Object.assign(new Error(""), { code: "ECONNREFUSED" })
    const error = new HttpRequestError({ url: URL_WITH_KEYS, cause: new TypeError("fetch failed", { cause: refused }) })
    assert.strictEqual(classify(error, URL_WITH_KEYS).detail, "ECONNREFUSED")
  })

  it("survives an error that is its own cause", () => {
    const error = new Error("round and round")
    error.cause = error
    assert.strictEqual(classify(error, URL_WITH_KEYS).detail, "round and round")
  })
})

describe("what may be shown of a URL", () => {
  it("is its host", () => {
    assert.strictEqual(hostOf(URL_WITH_KEYS), "rpc.example:8545")
    assert.strictEqual(hostOf("not a url"), "(not a URL)")
  })

  const leaks = [
    `no answer from ${URL_WITH_KEYS}, gave up`,
    `(${URL_WITH_KEYS})`,
    "unknown key path-key-123",
    "POST /v2/path-key-123?apikey=query-key-456 failed",
    "user-name may not do that, nor may pass-word",
    "see https://docs.example/keys/path-key-123#query-key-456"
  ]

  it.each(leaks)("is no more than that in: %s", (text) => {
    const shown = withoutSecrets(text, URL_WITH_KEYS)
    for (const secret of ["path-key-123", "query-key-456", "user-name", "pass-word"]) assert.notInclude(shown, secret)
  })

  it("is no more than that where a key is spelled in percent signs", () => {
    assert.notInclude(withoutSecrets("bad key abc/def+1", "https://rpc.example/abc%2Fdef%2B1"), "abc/def+1")
  })

  it("leaves the words around it alone", () => {
    assert.strictEqual(
      withoutSecrets(`no answer\n  from ${URL_WITH_KEYS} (v2)`, URL_WITH_KEYS),
      "no answer from rpc.example:8545 (v2)"
    )
  })

  it("is cut off before it becomes a page", () => {
    assert.isAtMost(withoutSecrets("x".repeat(5_000), URL_WITH_KEYS).length, 200)
  })
})
