import { serve } from "@hono/node-server"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted } from "effect"
import { Hono } from "hono"
import { spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { vi } from "vitest"
import { local } from "../../src/config/Network.ts"
import { address } from "../../src/domain/Address.ts"
import { zero } from "../../src/domain/Usdc.ts"
import * as Faults from "../../src/sandbox/faults.ts"
import { OrderDesk } from "../../src/sandbox/OrderDesk.ts"
import { publish } from "../../src/sandbox/sandboxFile.ts"
import { sandboxRoutes } from "../../src/sandbox/sandboxRoutes.ts"

const FAULT = fileURLToPath(new URL("../../src/sandbox/fault.ts", import.meta.url))

const TOKEN = address(`0x${"70".repeat(20)}`)

const emptyDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "fault-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
)

/** A directory with a sandbox on it: the real endpoints on a real port, where these can go wrong. */
const sandbox = Effect.fnUntraced(function* (kinds: ReadonlyArray<Faults.Kind> = ["outage", "rpc-lag"]) {
  const faults = Faults.make(kinds)
  const options = { token: TOKEN, pricePerMint: zero, paymentTimeout: Duration.zero, checkInterval: Duration.zero }
  const routes = yield* Effect.provide(sandboxRoutes({ ...options, faults }), Layer.mock(OrderDesk, {}))
  const app = new Hono().all("*", ({ req }) => routes(req.raw))
  const url = yield* Effect.acquireRelease(
    Effect.callback<{ readonly server: ReturnType<typeof serve>; readonly url: string }>((resume) => {
      const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }: AddressInfo) =>
        resume(Effect.succeed({ server, url: `http://127.0.0.1:${port}` }))
      )
    }),
    ({ server }) => Effect.sync(() => void server.close())
  )
  const directory = yield* emptyDirectory
  mkdirSync(join(directory, ".data"))
  yield* publish(join(directory, ".data"), {
    pid: process.pid,
    startedAt: new Date(0),
    rpcUrl: "http://127.0.0.1:8545",
    serverUrl: url.url,
    usdc: local.usdc.address,
    token: TOKEN,
    databaseUrl: Redacted.make("postgres://sandbox:secret@localhost/sandbox"),
    paymentTimeoutMs: 600_000
  })
  return { directory, faults }
})

/** Runs `npm run sandbox:fault` in the directory, without npm. */
const fault = (directory: string, ...args: ReadonlyArray<string>) =>
  Effect.promise(
    () =>
      new Promise<{ readonly status: number | null; readonly stdout: string; readonly stderr: string }>((resolve) => {
        const child = spawn(process.execPath, [FAULT, ...args], { cwd: directory, env: {} })
        const said = { stdout: "", stderr: "" }
        for (const stream of ["stdout", "stderr"] as const) {
          child[stream].setEncoding("utf8").on("data", (text: string) => (said[stream] += text))
        }
        child.once("close", (status) => resolve({ status, ...said }))
      })
  )

// Each start of the command takes a second, and several on a machine that is busy.
vi.setConfig({ testTimeout: 60_000 })

describe("sandbox:fault", () => {
  it.live("switches faults on, one besides the other", () =>
    Effect.gen(function* () {
      const { directory, faults } = yield* sandbox()
      const first = yield* fault(directory, "outage", "--times", "2", "--token", TOKEN)
      assert.deepStrictEqual(first, {
        status: 0,
        stdout: `💥 Goes wrong from now on:\n   outage, 2 times, token ${TOKEN}\n`,
        stderr: ""
      })
      faults.take(["outage"], TOKEN)
      const second = yield* fault(directory, "rpc-lag", "--blocks", "20")
      assert.deepStrictEqual(second.stdout.split("\n"), [
        "💥 Goes wrong from now on:",
        `   outage, once, token ${TOKEN}`,
        "   rpc-lag, until it is switched off, blocks 20",
        "Happened so far: outage 1",
        ""
      ])
    })
  )

  it.live("switches one of them off, and all", () =>
    Effect.gen(function* () {
      const { directory, faults } = yield* sandbox()
      faults.set([{ kind: "outage" }, { kind: "rpc-lag", blocks: 20 }])
      yield* fault(directory, "outage", "--off")
      assert.deepStrictEqual(faults.on(), [{ kind: "rpc-lag", blocks: 20 }])
      const { stdout } = yield* fault(directory, "--off")
      assert.match(stdout, /^✅ Nothing goes wrong on purpose\.\n/)
      assert.deepStrictEqual(faults.on(), [])
    })
  )

  it.live("lists what can go wrong and changes nothing, also when told nothing", () =>
    Effect.gen(function* () {
      const { directory, faults } = yield* sandbox()
      faults.set([{ kind: "outage" }])
      const [listed, plain] = yield* Effect.all([fault(directory, "--list"), fault(directory)], { concurrency: 2 })
      assert.deepStrictEqual(listed.stdout.split("\n").slice(0, 4), [
        "What can go wrong:",
        "   outage   every request is answered 503",
        "   rpc-lag  the node is `blocks` blocks behind",
        ""
      ])
      assert.strictEqual(plain.stdout, listed.stdout)
      assert.deepStrictEqual(faults.on(), [{ kind: "outage" }])
    })
  )

  it.live("ends with code 1 and says what to do where no sandbox runs, or it knows no such fault", () =>
    Effect.gen(function* () {
      const { directory } = yield* sandbox()
      const [nowhere, unknown, wrong] = yield* Effect.all(
        [fault(yield* emptyDirectory, "--list"), fault(directory, "fire"), fault(directory, "outage", "--times", "0")],
        { concurrency: 3 }
      )
      assert.deepStrictEqual([nowhere.status, unknown.status, wrong.status], [1, 1, 1])
      assert.match(nowhere.stderr, /No sandbox runs on \.data\. Start one with: npm start\n/)
      assert.match(
        unknown.stderr,
        /The sandbox refused: these are not faults\n\s+- faults: 0: kind: expected one of outage, rpc-lag\n/
      )
      assert.match(wrong.stderr, /--times.*a whole number from 1 to/)
    })
  )
})
