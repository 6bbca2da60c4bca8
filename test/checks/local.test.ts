import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { complete } from "../../src/checks/local.ts"
import { publish, type SandboxInfo } from "../../src/sandbox/sandboxFile.ts"
import { defaults } from "../support/settings.ts"
import { about, sound } from "./given.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "ai-mint-doctor-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const info: SandboxInfo = {
  pid: process.pid,
  rpcUrl: "http://127.0.0.1:8545",
  serverUrl: "http://127.0.0.1:4021",
  usdc: defaults.network.usdc.address,
  token: defaults.network.usdc.address,
  databaseUrl: "embedded"
}

describe("the doctor on the local network", () => {
  it.effect("says that nothing runs, and how to start it", () =>
    Effect.gen(function* () {
      const { settings, findings } = yield* complete(defaults, yield* folder)
      assert.strictEqual(settings, defaults)
      assert.include(about(findings, "runs"), "warn nothing runs")
      assert.include(about(findings, "runs"), "Start it: npm start")
    })
  )

  it.effect("looks at the chain and the mint server of the sandbox that runs", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      yield* publish(dataDir, info)
      const { settings, findings } = yield* complete(defaults, dataDir)
      assert.deepStrictEqual(settings.rpcUrls.map(Redacted.value), [info.rpcUrl])
      assert.deepStrictEqual(settings.serverUrl, info.serverUrl)
      assert.isUndefined(settings.databaseUrl)
      assert.include(about(findings, "runs"), `ok process ${process.pid}`)
    })
  )

  it.effect("asks the chain on the way on which the executor asks it, where faults can be put in", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      const executorRpcUrl = "http://127.0.0.1:42607"
      yield* publish(dataDir, { ...info, executorRpcUrl })
      const { settings, findings } = yield* complete(defaults, dataDir)
      assert.deepStrictEqual(settings.rpcUrls.map(Redacted.value), [executorRpcUrl])
      assert.include(about(findings, "runs"), `chain at ${info.rpcUrl} (asked by way of ${executorRpcUrl})`)
      const named = { ...defaults, rpcUrls: [Redacted.make("http://127.0.0.1:9")] }
      assert.deepStrictEqual((yield* complete(named, dataDir)).settings.rpcUrls, named.rpcUrls)
    })
  )

  it.effect("looks at the sandbox's database where that is a server", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      const url = "postgres://executor:hunter22-secret@127.0.0.1:1/mint"
      yield* publish(dataDir, { ...info, databaseUrl: Redacted.make(url) })
      const { settings, findings } = yield* complete(defaults, dataDir)
      assert.strictEqual(Redacted.value(settings.databaseUrl ?? assert.fail()), url)
      assert.notInclude(JSON.stringify(findings), "hunter22")
    })
  )

  it.effect("has nothing to say elsewhere", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* complete(sound, yield* folder), { settings: sound, findings: [] })
    })
  )
})
