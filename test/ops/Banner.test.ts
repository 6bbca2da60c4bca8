import { assert, describe, it } from "@effect/vitest"
import { Duration, Redacted } from "effect"
import { bannerLines } from "../../src/ops/Banner.ts"
import { hostOf } from "../../src/ops/redact.ts"
import { fullOnBase, loadFrom, secrets } from "../config/fixtures.ts"
import { settings } from "./fixtures.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

describe("the start banner", () => {
  test("shows on what, through whom and how fast the executor works", function* () {
    const known = yield* loadFrom({ ...fullOnBase, CHECK_INTERVAL: "90s" })
    assert.deepStrictEqual(bannerLines(known, { version: "2.0.0" }), [
      "╔══════════════════════════════════════════════════════════╗",
      "║          🤖 AI Mint Executor v2.0.0 Initialized          ║",
      "╚══════════════════════════════════════════════════════════╝",
      "🔧 Configuration:",
      "   Mint Interval: 5s",
      "   Check Interval: 90s",
      "   Payment Timeout: 10 minutes",
      "   Network: base (chain 8453)",
      "   Server URL: http://localhost:4021",
      "   RPC Endpoints: 2",
      "      1. base-mainnet.example.com",
      "      2. rpc.example.org",
      "   AI Agent Account: 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
      "   USDC: 0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
      "   Max Retry Count: 3"
    ])
  })

  it("says what is off without an account, and what the sandbox brings", () => {
    const bare = { ...settings, rpcUrls: [], serverUrl: undefined, paymentTimeout: Duration.minutes(1) }
    const lines = bannerLines(bare, { version: "2.0.0" }).map((line) => line.trim())
    assert.include(lines, "AI Agent Account: none (refunds are off)")
    assert.include(lines, "RPC Endpoints: the sandbox's own")
    assert.include(lines, "Server URL: the sandbox's own")
    assert.include(lines, "Payment Timeout: 1 minute")
  })

  it("shows the nodes that announce new blocks by their hosts, where there are some", () => {
    const wsUrls = [Redacted.make("wss://ws.example.com/v2/a-key-of-it")]
    const lines = bannerLines({ ...settings, wsUrls }, { version: "2.0.0" })
    const index = lines.indexOf("   WebSocket Endpoints: 1")
    assert.deepStrictEqual(lines.slice(index - 1, index + 2), [
      "      1. sepolia.base.org",
      "   WebSocket Endpoints: 1",
      "      1. ws.example.com"
    ])
    assert.notInclude(bannerLines(settings, { version: "2.0.0" }).join(), "WebSocket")
  })

  it("names the protocol of the mint server where it is not the usual one", () => {
    const lines = bannerLines({ ...settings, mintProtocol: "v1" }, { version: "2.0.0" })
    assert.strictEqual(lines[lines.indexOf("   Server URL: http://localhost:4021") + 1], "   Mint Protocol: v1")
    assert.isUndefined(bannerLines(settings, { version: "2.0.0" }).find((line) => line.includes("Protocol")))
  })

  it("shows intervals as v1.1 did, and a box as wide as its title", () => {
    const odd = { ...settings, mintInterval: Duration.millis(1500), checkInterval: Duration.minutes(2) }
    const lines = bannerLines(odd, { version: "2.3.1-rc.1+build.of.a.very.long.name.and.a.half" })
    assert.include(lines, "   Mint Interval: 1.5s")
    assert.include(lines, "   Check Interval: 120s")
    // The icon of the title takes two columns.
    assert.deepStrictEqual(
      lines.slice(0, 3).map((line) => [...line].length),
      [84, 83, 84]
    )
  })

  test("holds no secret", function* () {
    const banner = bannerLines(yield* loadFrom(fullOnBase), { version: "2.0.0" }).join("\n")
    for (const secret of Object.values(secrets)) assert.notInclude(banner, secret)
  })
})

describe("an RPC URL", () => {
  it("is shown by host and port only", () => {
    assert.strictEqual(hostOf("https://user:pass@rpc.example.com:8545/v2/key?k=v#h"), "rpc.example.com:8545")
    assert.strictEqual(hostOf(Redacted.value(Redacted.make("http://127.0.0.1:8545"))), "127.0.0.1:8545")
  })
})
