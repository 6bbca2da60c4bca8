import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Duration, Effect, Redacted } from "effect"
import { local } from "../../src/config/Network.ts"
import type { SettingsShape } from "../../src/config/Settings.ts"
import { examine } from "../../src/checks/doctor.ts"
import { examineSettings } from "../../src/checks/settings.ts"
import { disk } from "../config/fixtures.ts"
import { about, sound, troubles } from "./given.ts"

const troublesWith = (changes: Partial<SettingsShape>) => troubles(examineSettings({ ...sound, ...changes }))

describe("what the doctor says about settings", () => {
  it("names the network, and nothing more where all is well", () => {
    assert.deepStrictEqual(examineSettings(sound), [
      { area: "settings", level: "ok", what: "network", detail: "base (chain 8453)" }
    ])
  })

  it("warns of a single RPC URL, and of a public one", () => {
    const rpcUrls = [Redacted.make("https://mainnet.base.org")]
    assert.deepStrictEqual(troublesWith({ rpcUrls }), [
      ["one RPC URL", "warn"],
      ["public RPC", "warn"]
    ])
  })

  it("warns of WebSocket URLs that nothing listens to", () => {
    const wsUrls = [Redacted.make("wss://one.example/key")]
    assert.deepStrictEqual(troublesWith({ wsUrls, checkTrigger: "block" }), [])
    assert.deepStrictEqual(troublesWith({ wsUrls, checkTrigger: "interval" }), [["WebSocket", "warn"]])
  })

  it("fails where the API is reachable from outside and nothing protects it", () => {
    assert.deepStrictEqual(troublesWith({ opsHost: "0.0.0.0" }), [["OPS_TOKEN", "fail"]])
    assert.deepStrictEqual(troublesWith({ opsHost: "0.0.0.0", opsToken: Redacted.make("0123456789abcdef") }), [])
    for (const opsHost of ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
      assert.deepStrictEqual(troublesWith({ opsHost }), [])
  })

  it("warns of a window that lapses while the mint server works", () => {
    const mintTimeout = Duration.minutes(6)
    assert.deepStrictEqual(troublesWith({ mintTimeout }), [["payment window", "warn"]])
    assert.include(
      about(examineSettings({ ...sound, mintTimeout }), "payment window"),
      "AUTHORIZATION_WINDOW (5 minutes) is shorter than MINT_TIMEOUT (6 minutes)"
    )
  })

  it("warns of a drain that pm2 cuts short", () => {
    assert.deepStrictEqual(troublesWith({ drainTimeout: Duration.seconds(45) }), [["drain", "warn"]])
    assert.deepStrictEqual(troublesWith({ drainTimeout: Duration.millis(44_999) }), [])
  })

  it("warns of refunds that are off, and of a certificate that nobody verifies in production", () => {
    assert.deepStrictEqual(troublesWith({ aiAgentPrivateKey: undefined }), [["refunds", "warn"]])
    assert.deepStrictEqual(troublesWith({ databaseSslVerify: false }), [])
    assert.deepStrictEqual(troublesWith({ production: true, databaseSslVerify: false }), [["certificate", "warn"]])
  })

  it("asks for nothing on the local network that the sandbox brings", () => {
    assert.deepStrictEqual(troublesWith({ network: local, rpcUrls: [], aiAgentPrivateKey: undefined }), [])
  })
})

describe("the doctor where the settings are bad", () => {
  const secret = "not-a-key-but-a-secret"
  const diagnose = (env: Record<string, string>, files?: Record<string, string | undefined>) =>
    examine.pipe(
      Effect.provide(disk(files)),
      Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnvRecord(env))
    )

  it.effect("tells each problem, and once that the rest is not looked at", () =>
    Effect.gen(function* () {
      const { command, findings } = yield* diagnose({
        NETWORK: "base",
        AGENT_ENCRYPTION_KEY: secret,
        CHECK_INTERVAL: "soon"
      })
      assert.strictEqual(command, "doctor")
      assert.deepStrictEqual(troubles(findings), [
        ["problem", "fail"],
        ["problem", "fail"],
        ["problem", "fail"],
        ["not looked at", "warn"]
      ])
      const text = about(findings, "problem")
      for (const key of ["DATABASE_URL", "AGENT_ENCRYPTION_KEY", "CHECK_INTERVAL"]) assert.include(text, key)
      assert.notInclude(JSON.stringify(findings), secret)
    })
  )

  it.effect("tells of a .env that cannot be read", () =>
    Effect.gen(function* () {
      const { findings } = yield* diagnose({}, { ".env": undefined })
      assert.include(about(findings, "problem"), ".env: the file is there and cannot be read")
    })
  )
})
