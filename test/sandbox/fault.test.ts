import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { vi } from "vitest"
import { zero } from "../../src/domain/Usdc.ts"
import * as Faults from "../../src/sandbox/faults.ts"
import { listen } from "../../src/sandbox/listen.ts"
import { OrderDesk } from "../../src/sandbox/OrderDesk.ts"
import { sandboxRoutes } from "../../src/sandbox/sandboxRoutes.ts"
import { announce, emptyDirectory, scriptOf, TOKEN } from "./commandFixtures.ts"

const fault = scriptOf("fault")

/** A directory with a sandbox on it: the real endpoints on a real port, where these can go wrong. */
const sandbox = Effect.fnUntraced(function* (kinds: ReadonlyArray<Faults.FaultKind> = ["outage", "rpc-lag"]) {
  const faults = Faults.make(kinds)
  const options = { token: TOKEN, pricePerMint: zero, paymentTimeout: Duration.zero, checkInterval: Duration.zero }
  const routes = yield* Effect.provide(sandboxRoutes({ ...options, faults }), Layer.mock(OrderDesk, {}))
  const directory = yield* emptyDirectory
  yield* announce(directory, yield* listen(routes))
  return { directory, faults }
})

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

  it.live("lists what can go wrong and changes nothing, also without arguments", () =>
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
