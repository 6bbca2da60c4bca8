import { assert, describe, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { createHash } from "node:crypto"
import { encodeFunctionData, parseEther } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { vi } from "vitest"
import { address } from "../../src/domain/Address.ts"
import { usdcAbi } from "../../src/sandbox/usdcDeployment.ts"
import { migrate } from "../../src/ledger/migrate.ts"
import { balanceOf, type BaseSepolia, deployment, openBaseSepolia, pay, placeOrder, USDC } from "../e2e/baseSepolia.ts"
import { closedPort, eventually, startExecutor, temporaryDirectory, TIMEOUT_MS, until } from "../e2e/support.ts"
import { outcomeOf } from "../e2e/v11Orders.ts"
import { clientAt } from "../support/LedgerSql.ts"
import { editTask, person, type Person } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { aiMint } from "../cli/command.ts"

vi.mock(import("../../src/config/Network.ts"), async (original) => {
  const networks = await original()
  return { ...networks, local: { ...networks.baseSepolia, blockSeconds: 1 } }
})

/** Each command is a process of its own, and they share the machine with the other deep tests. */
vi.setConfig({ testTimeout: 3 * TIMEOUT_MS })

class World extends Context.Service<World, BaseSepolia>()("test/cli/World") {
  static readonly layer = Layer.effect(this, openBaseSepolia)
}

const STRANGER = address(`0x${"5a".repeat(20)}`)

const ACCOUNT_KEY = `0x${"a5c3".repeat(16)}` as const

/** An operator's machine: settings, an empty database, and a gas account with gas money. */
const installation = Effect.gen(function* () {
  const world = yield* World
  const gasAccount = privateKeyToAccount(ACCOUNT_KEY)
  yield* world.chain.ask("give gas money", (client) =>
    client.setBalance({ address: gasAccount.address, value: parseEther("1") })
  )
  const url = yield* Postgres.freshDatabase()
  const ops = { OPS_TOKEN: "ab".repeat(16), OPS_PORT: String(yield* closedPort) }
  const env = { ...deployment(world, url), AI_AGENT_PRIVATE_KEY: ACCOUNT_KEY, ...ops }
  const cwd = yield* temporaryDirectory
  const command = (...args: ReadonlyArray<string>) => aiMint(args, { cwd, env })
  return { world, url, env, cwd, command, direct: (...args: ReadonlyArray<string>) => command(...args, "--direct") }
})

/** Blocks come between two audits. */
/** What two audits of one ledger agree on, whichever sweep came between them: it moves the block and counts deposits. */
const withoutBlock = (json: string): unknown => {
  const report = JSON.parse(json) as { readonly totals: Readonly<Record<string, number>> }
  const { deposits = 0, uncounted = 0, ...totals } = report.totals
  return { ...report, block: undefined, totals: { ...totals, deposits: deposits + uncounted } }
}

const untilStatus = (id: string, status: string) =>
  until(
    `task ${id} is ${status}`,
    Effect.map(outcomeOf(id), (outcome) => outcome.status === status)
  )

/** USDC leaves the wallet by the hand of somebody who has its key. */
const steal = Effect.fnUntraced(function* ({ chain }: BaseSepolia, name: string, { agentAddress }: Person) {
  const thief = privateKeyToAccount(`0x${createHash("sha256").update(`agent ${name}`).digest("hex")}`)
  yield* chain.ask("give gas money", (client) => client.setBalance({ address: agentAddress, value: parseEther("1") }))
  const data = encodeFunctionData({ abi: usdcAbi, functionName: "transfer", args: [STRANGER, 1_000_000n] })
  const hash = yield* chain.send("steal", thief, { to: USDC, data, gas: 200_000n })
  yield* chain.receipt("steal", hash)
  yield* chain.mine(3)
})

const anOperatorsDay = Effect.gen(function* () {
  const { world, url, env, cwd, command, direct } = yield* installation
  yield* Effect.gen(function* () {
    yield* migrate
    const [ann, bob] = [yield* person("ann"), yield* person("bob")]
    const [order, failed, unpaid] = [yield* placeOrder(ann, 3), yield* placeOrder(bob, 2), yield* placeOrder(bob, 9)]
    yield* editTask(failed, { status: "failed", error_message: "Exceeded retry limit" })
    yield* pay(world, ann, 5)
    yield* pay(world, bob, 1)
    yield* world.chain.mine(3)

    const away = yield* command("cancel", order, "--why", "changed my mind")
    assert.strictEqual(away.code, 1)
    assert.match(away.stderr, /^❌ No executor answers at [^]*the same with --direct/)
    const paid = yield* direct("cancel", order, "--why", "changed my mind")
    assert.strictEqual(paid.code, 1)
    assert.match(paid.stderr, /^❌ Task \S+ is already paid, and is not cancelled\./)
    assert.strictEqual(paid.stdout, "")
    const cancelled = yield* direct("cancel", unpaid.slice(0, 8), "--why", "changed my mind", "--json")
    assert.strictEqual(cancelled.code, 0, cancelled.stderr)
    assert.deepInclude(JSON.parse(cancelled.stdout), { command: "cancel", taskId: unpaid, credit: "1000000" })
    const short = yield* direct("retry", failed, "--why", "the server is well again")
    assert.strictEqual(short.code, 1)
    assert.match(short.stderr, /The wallet holds 1\.00 USDC free, 2\.00 is needed: pay in 1\.00 USDC to 0x/)

    const executor = yield* startExecutor(cwd, env)
    yield* executor.line("Monitoring for funded tasks...")
    yield* executor.line("Page and API")
    yield* untilStatus(order, "completed")
    yield* pay(world, bob, 1)
    yield* eventually(
      "the retry",
      Effect.map(command("retry", failed, "--why", "paid in"), ({ code }) => (code === 0 ? true : undefined))
    )
    yield* untilStatus(failed, "completed")

    const told = yield* command("refund", ann.userAddress)
    assert.strictEqual(told.code, 0, told.stderr)
    assert.match(
      told.stdout,
      /^↩️ Refund of 2\.00 USDC to 0x[^]*Nothing was done yet\. This does it: ai-mint refund 0x\w+ --to 0x\w+ --amount 2\.00 --confirm --why "…"\n$/
    )
    const as = ["--to", ann.userAddress, "--amount", "2", "--confirm"]
    const asked = yield* command("refund", ann.userAddress, ...as, "--why", "ann asked for it")
    assert.strictEqual(asked.code, 0, asked.stderr)
    yield* until(
      "the refund is paid",
      Effect.map(balanceOf(world, ann), (balance) => balance === 0n)
    )
    yield* executor.line("is paid")

    const even = yield* command("reconcile", "--json")
    assert.strictEqual(even.code, 0, even.stdout)
    assert.deepInclude(JSON.parse(even.stdout).totals, { wallets: 2, payments: 3, mints: 5 })
    const beside = yield* direct("reconcile", "--json")
    assert.deepStrictEqual(withoutBlock(beside.stdout), withoutBlock(even.stdout))
    const stranger = yield* aiMint(["status"], { cwd, env: { ...env, OPS_TOKEN: "cd".repeat(16) } })
    assert.strictEqual(stranger.code, 1)
    assert.match(stranger.stderr, /OPS_TOKEN here is not what it is where the executor runs/)
    yield* placeOrder(ann, 9)
    yield* pay(world, ann, 2)
    yield* steal(world, "ann", ann)
    const uneven = yield* command("reconcile")
    assert.strictEqual(uneven.code, 1)
    assert.match(
      uneven.stdout,
      /❌ 0x\S+: 1\.00 USDC went to 0x\S+ in 0x\S+ \(block \d+\), and no order or refund explains it/
    )
    yield* executor.line("is stopped")
    const reopened = yield* command("resolve", "--wallet", ann.agentAddress, "--why", "the key is changed")
    assert.strictEqual(reopened.code, 0, reopened.stderr)
    assert.strictEqual((yield* command("reconcile")).code, 0)
    yield* executor.kill("SIGTERM")
    assert.deepStrictEqual(yield* executor.ended, { code: 0, signal: null })
  }).pipe(Effect.provide(clientAt(url)))
})

describe("ai-mint", () => {
  layer(World.layer, { timeout: TIMEOUT_MS, excludeTestServices: true })((it) => {
    it.effect("cancels, retries, refunds and compares, beside a running executor and without one", () => anOperatorsDay)

    it.effect("tells bad usage from bad settings, and shows no stack", () =>
      Effect.gen(function* () {
        const { command, cwd } = yield* installation
        for (const [args, words] of [
          [["cancel", "abcd1234"], "Missing required flag: --why"],
          [["cancel", "abcd1234", "--why", " "], "a reason, in words"],
          [["resolve", "abcd1234", "--why", "so"], "Give a task with --as, or --wallet alone."],
          [["refund", "abcd1234", "--confirm"], "--confirm needs a reason"],
          [["refund", "abcd1234", "--amount", "1.1234567"], "an amount of USDC like 2.5"],
          [["undo"], 'Unknown subcommand "undo"']
        ] as const) {
          const { code, stdout, stderr } = yield* command(...args)
          assert.deepStrictEqual([code, stdout], [2, ""], args.join(" "))
          assert.include(stderr, words)
          assert.notMatch(stderr, /^ +at /m, "a stack")
        }
        const bare = yield* aiMint(["reconcile"], { cwd, env: { NETWORK: "base-sepolia" } })
        assert.deepStrictEqual([bare.code, bare.stdout], [78, ""])
        assert.include(bare.stderr, "DATABASE_URL is not set")
        const alone = yield* aiMint(["reconcile", "--direct"], { cwd, env: {} })
        assert.strictEqual(alone.code, 78)
        assert.match(alone.stderr, /^❌ DATABASE_URL is not set: the embedded database belongs to the sandbox/)
      })
    )
  })
})
