import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { examineExecutor, examineMintServer } from "../../src/checks/servers.ts"
import { nodeHttpClient } from "../../src/mint/http.ts"
import { version } from "../../src/ops/process.ts"
import { settle } from "../chain/fakeNodes.ts"
import { answers, closesAtOnce, neverAnswers, type Script, scriptedServer } from "../mint/scriptedServer.ts"
import { about, sound, troubles } from "./given.ts"

describe("what the doctor says about the mint server", () => {
  const lookAt = (url: string) => examineMintServer(sound, url).pipe(Effect.provide(nodeHttpClient))

  it.live("is that it answers, whatever its front page is, and nothing is ordered", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer(answers(404))
      const findings = yield* lookAt(server.url)
      assert.deepStrictEqual(troubles(findings), [])
      assert.match(about(findings, "reachable"), /answers in \d+ ms with HTTP 404 \(MINT_PROTOCOL=x402\)/)
      const { method, path } = yield* server.arrival
      assert.deepStrictEqual([method, path], ["GET", "/"])
      assert.strictEqual(yield* server.served, 1)
    })
  )

  it.live("is a warning where it is in trouble, and a failure where it does not answer", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(troubles(yield* lookAt((yield* scriptedServer(answers(502))).url)), [
        ["reachable", "warn"]
      ])
      assert.deepStrictEqual(troubles(yield* lookAt((yield* scriptedServer(closesAtOnce)).url)), [
        ["reachable", "fail"]
      ])
      assert.include(about(yield* lookAt("http://127.0.0.1:1"), "reachable"), "fail ECONNREFUSED → Nothing is minted")
    })
  )

  it.effect("waits five seconds and no longer", () =>
    Effect.gen(function* () {
      const { url } = yield* scriptedServer(neverAnswers)
      assert.include(about(yield* settle(lookAt(url)), "reachable"), "fail no answer within 5s")
    })
  )
})

/** An executor's API: `/version`, and `/healthz`. */
const executor = (told: unknown, health: Script = answers(200)): Script => {
  const tell = answers(200, {}, told)
  return (response, request) => (request.url === "/version" ? tell : health)(response, request)
}

describe("what the doctor says about the executor", () => {
  const lookAt = (url: string, opsHost = "127.0.0.1") =>
    examineExecutor({ ...sound, opsHost, opsPort: Number(new URL(url).port) }).pipe(Effect.provide(nodeHttpClient))

  it.live("is which version runs, and that it is well", () =>
    Effect.gen(function* () {
      const { url } = yield* scriptedServer(executor({ version, network: "base" }))
      for (const host of ["127.0.0.1", "0.0.0.0"]) {
        const findings = yield* lookAt(url, host)
        assert.deepStrictEqual(troubles(findings), [])
        assert.include(about(findings, "running"), `v${version} at http://127.0.0.1`)
        assert.include(about(findings, "health"), "well")
      }
    })
  )

  it.live("is a warning where another version, network or program runs", () =>
    Effect.gen(function* () {
      const cases = [
        [{ version: "2.0.9", network: "base" }, `v2.0.9 runs at`],
        [{ version, network: "local" }, "is on local, and these settings are for base"],
        ["<html>", "is no executor of this kind"],
        [{ version: "x".repeat(41), network: "base" }, "is no executor of this kind"]
      ] as const
      for (const [told, words] of cases) {
        const findings = yield* lookAt((yield* scriptedServer(executor(told))).url)
        assert.include(about(findings, "running"), words)
        assert.deepStrictEqual(troubles(findings), [["running", "warn"]])
      }
    })
  )

  it.live("is a warning where it says that it is not well, with the loop that stands still", () =>
    Effect.gen(function* () {
      const ill = answers(
        503,
        {},
        {
          alive: false,
          loops: [
            { name: "check", alive: false },
            { name: "mint", alive: true }
          ]
        }
      )
      const { url } = yield* scriptedServer(executor({ version, network: "base" }, ill))
      const findings = yield* lookAt(url)
      assert.deepStrictEqual(troubles(findings), [["health", "warn"]])
      assert.include(about(findings, "health"), "(HTTP 503: check stands still)")
    })
  )

  it.live("is whether it takes the token of the settings", () =>
    Effect.gen(function* () {
      const tells = executor({ version, network: "base" })
      const guarded =
        (status: number): Script =>
        (response, request) =>
          (request.url === "/api/pauses" ? answers(status) : tells)(response, request)
      const opsToken = Redacted.make("ab".repeat(16))
      const look = Effect.fnUntraced(function* (status: number, token: typeof opsToken | undefined) {
        const { url } = yield* scriptedServer(guarded(status))
        const place = { ...sound, opsToken: token, opsPort: Number(new URL(url).port) }
        return about(yield* Effect.provide(examineExecutor(place), nodeHttpClient), "token")
      })
      assert.include(yield* look(200, opsToken), "ok OPS_TOKEN is taken")
      assert.match(yield* look(401, opsToken), /^warn the executor does not take .* → .*env -u OPS_TOKEN pm2 start/)
      assert.include(yield* look(401, undefined), "warn the executor asks for one, and OPS_TOKEN is not set here")
      assert.include(yield* look(403, opsToken), "warn the executor has none: page, API and commands are off")
      assert.strictEqual(yield* look(500, opsToken), "")
    })
  )

  it.live("is a warning where none runs", () =>
    Effect.gen(function* () {
      const findings = yield* lookAt("http://127.0.0.1:1")
      assert.deepStrictEqual(troubles(findings), [["running", "warn"]])
      assert.include(about(findings, "running"), "none answers at http://127.0.0.1:1 (ECONNREFUSED)")
    })
  )

  it.effect("waits two seconds and no longer", () =>
    Effect.gen(function* () {
      const { url } = yield* scriptedServer(neverAnswers)
      assert.include(about(yield* settle(lookAt(url)), "running"), "no answer within 2s")
    })
  )

  it.effect("is that it cannot be asked where the system chose its port", () =>
    Effect.gen(function* () {
      const findings = yield* examineExecutor({ ...sound, opsPort: 0 }).pipe(Effect.provide(nodeHttpClient))
      assert.include(about(findings, "running"), "ok OPS_PORT=0")
    })
  )
})
