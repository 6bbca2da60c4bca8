import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { vi } from "vitest"
import { closedPort, startExecutor, temporaryDirectory, TIMEOUT_MS } from "../e2e/support.ts"
import { aiMint, startAiMint } from "./command.ts"

/** Some thirty commands, each a process of its own, and two starts of the network. */
vi.setConfig({ testTimeout: 2 * TIMEOUT_MS })

/** A local network of its own, and commands where it runs. */
const network = Effect.gen(function* () {
  const cwd = yield* temporaryDirectory
  const env = { CHECK_INTERVAL: "500ms", MINT_INTERVAL: "500ms", OPS_PORT: String(yield* closedPort) }
  const command = (...args: ReadonlyArray<string>) => aiMint(args, { cwd, env })
  const answer = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
    const { code, stdout, stderr } = yield* command(...args, "--json")
    assert.strictEqual(code, 0, stderr)
    return JSON.parse(stdout)
  })
  const begin = Effect.gen(function* () {
    const executor = yield* startExecutor(cwd, env)
    yield* executor.line("Page and API")
    return executor
  })
  return { cwd, env, command, answer, begin }
})

describe("ai-mint on the local network", () => {
  it.live("asks the executor that runs, and has it decide", () =>
    Effect.gen(function* () {
      const { cwd, env, command, answer, begin } = yield* network
      const executor = yield* begin
      const done = yield* executor.line("processing → completed")
      const task = /Task ([0-9a-f]{8})/.exec(done)?.[1] ?? ""

      const status = yield* command("status")
      assert.deepStrictEqual([status.code, status.stderr], [0, ""])
      assert.match(status.stdout, /^ai-mint-executor \S+ on local \(chain 31337\)[^]*^completed +1 +5\.00$/m)
      const { tasks } = yield* answer("tasks", "list", "--status", "completed")
      assert.deepInclude(tasks[0], { status: "completed", mintsCompleted: 5 })
      const explained = yield* command("explain", task)
      assert.match(explained.stdout, /^Order \S+ is completed: 5 of 5 mints delivered/)
      const { totals } = yield* answer("reconcile")
      assert.deepInclude(totals, { wallets: 1, payments: 1, mints: 5 })

      assert.deepStrictEqual(yield* command("cancel", task, "--why", "too late"), {
        code: 1,
        stdout: "",
        stderr: `❌ Task ${task} has ended already: it is completed.\n`
      })
      assert.strictEqual((yield* command("cancel", task)).code, 2)
      const direct = yield* command("reconcile", "--direct")
      assert.deepStrictEqual([direct.code, direct.stdout], [78, ""])
      assert.match(direct.stderr, /^❌ DATABASE_URL is not set: the embedded database belongs to the sandbox that runs/)

      const watching = yield* startAiMint(["watch"], { cwd, env })
      yield* watching.line("Watching what happens")
      const [{ userAddress: user, tokenAddress: token }] = tasks
      const paused = yield* answer("pause", "--wallet", user, "--why", "a look first")
      yield* watching.line("is paused")
      const order = yield* answer("tasks", "create", "--user", user, "--token", token, "--quantity", "2")
      yield* watching.line("Ordered: 2 mints for 2.00 USDC")
      const paid = yield* answer("sandbox", "pay", order.taskId.slice(0, 8))
      assert.deepInclude(paid, { taskId: order.taskId, agentAddress: order.agentAddress, amount: "2000000" })
      yield* watching.line("2 mints to be made")

      yield* executor.kill("SIGINT")
      assert.deepStrictEqual(yield* executor.ended, { code: 0, signal: null })
      yield* watching.line("The connection to the executor is lost")
      const again = yield* begin
      yield* watching.line("The executor is back")
      const { pauses } = yield* answer("pauses")
      assert.deepStrictEqual(pauses, paused.pauses)
      assert.strictEqual((yield* answer("tasks", "show", order.taskId)).mintsCompleted, 0)
      yield* answer("resume", "--wallet", user, "--why", "all is well")
      yield* watching.line("Completed: 2 of 2 mints")
      yield* watching.kill("SIGINT")
      assert.deepStrictEqual(yield* watching.ended, { code: 0, signal: null })
      assert.strictEqual(watching.said.stdout.match(/Ordered: 2 mint/g)?.length, 1, "nothing is told twice")

      yield* again.kill("SIGINT")
      yield* again.ended
      const alone = yield* command("status")
      assert.strictEqual(alone.code, 1)
      assert.match(alone.stderr, /^❌ No executor answers at http:\/\/127\.0\.0\.1:\d+ \(ECONNREFUSED\)/)
      assert.match((yield* command("sandbox", "reset")).stdout, /^🧹 Deleted \.data/)
    })
  )
})
