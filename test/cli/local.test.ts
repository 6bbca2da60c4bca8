import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { vi } from "vitest"
import { startExecutor, temporaryDirectory, TIMEOUT_MS } from "../e2e/support.ts"
import { aiMint } from "./command.ts"

vi.setConfig({ testTimeout: TIMEOUT_MS })

describe("ai-mint on the local network", () => {
  it.live("is carried out by the sandbox that runs, which owns the database", () =>
    Effect.gen(function* () {
      const cwd = yield* temporaryDirectory
      const command = (...args: ReadonlyArray<string>) => aiMint(args, { cwd, env: {} })
      const sandbox = yield* startExecutor(cwd, { CHECK_INTERVAL: "500ms", MINT_INTERVAL: "500ms" })
      const done = yield* sandbox.line("processing → completed")
      const task = /Task ([0-9a-f]{8})/.exec(done)?.[1] ?? ""
      const even = yield* command("reconcile", "--json")
      assert.strictEqual(even.code, 0, even.stderr)
      assert.deepInclude(JSON.parse(even.stdout).totals, { wallets: 1, payments: 1, mints: 5 })
      const refused = yield* command("cancel", task, "--why", "too late")
      assert.deepStrictEqual(refused, {
        code: 1,
        stdout: "",
        stderr: `❌ Task ${task} has ended already: it is completed.\n`
      })
      assert.strictEqual((yield* command("cancel", task)).code, 2)
      yield* sandbox.kill("SIGINT")
      assert.deepStrictEqual(yield* sandbox.ended, { code: 0, signal: null })
      assert.strictEqual((yield* command("reconcile")).code, 78)
    })
  )
})
