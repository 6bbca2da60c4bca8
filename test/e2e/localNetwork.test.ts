import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { parseEther } from "viem"
import { address } from "../../src/domain/Address.ts"
import { askSandbox } from "../../src/sandbox/askSandbox.ts"
import * as DevChain from "../../src/sandbox/DevChain.ts"
import { mintTokenAbi } from "../../src/sandbox/mintToken.ts"
import type { Order } from "../../src/sandbox/SandboxApi.ts"
import { findSandbox } from "../../src/sandbox/sandboxFile.ts"
import {
  descendantsOf,
  eventually,
  mintsTo,
  paymentsFrom,
  ROOT,
  type Running,
  start,
  startExecutor,
  temporaryDirectory,
  TIMEOUT_MS,
  untilGone
} from "./support.ts"

/** Nothing but a quicker pace: everything else is what a fresh clone finds. */
const QUICK = { CHECK_INTERVAL: "500ms", MINT_INTERVAL: "500ms" }

/** One mint of the sandbox's token, which has 18 decimals. */
const ONE_MINT = parseEther("1000")

/** The network that runs in the directory, as other programs find it. */
const network = Effect.fnUntraced(function* (directory: string) {
  const dataDir = join(directory, ".data")
  const info = yield* findSandbox(dataDir)
  const orders = Effect.map(
    askSandbox({ dataDir }, (client) => client.orders.list()),
    ({ answer }) => answer.orders
  )
  return { ...info, chain: DevChain.connect(info.rpcUrl), orders }
})
type Network = Effect.Success<ReturnType<typeof network>>

const untilCompleted = ({ orders }: Network, id: string, { said }: Running) =>
  eventually(
    `order ${id} is completed`,
    Effect.map(orders, (all) => all.find((order) => order.id === id && order.status === "completed")),
    () => said.stdout
  )

/** What was paid and minted for the order, by the chain alone. */
const assertCarriedOut = Effect.fnUntraced(function* ({ chain, usdc, token }: Network, order: Order) {
  const agent = order.agent_address ?? ""
  assert.deepStrictEqual(yield* paymentsFrom(chain, usdc, agent), [order.total_cost])
  assert.strictEqual(yield* mintsTo(chain, token, order.user_address), order.quantity)
  const held = yield* chain.ask("read the tokens", (client) =>
    client.readContract({
      address: token,
      abi: mintTokenAbi,
      functionName: "balanceOf",
      args: [address(order.user_address)]
    })
  )
  assert.strictEqual(held, ONE_MINT * BigInt(order.quantity))
  assert.deepInclude(order, {
    status: "completed",
    mints_completed: order.quantity,
    error_message: null,
    retry_count: 0
  })
})

/** With no payment on its way it takes a fifth of a second, and more only on a machine that is busy. */
const STOP_TIMEOUT = "40 seconds"

/** Ctrl-C: it ends by itself, with a farewell, and leaves no process behind. */
const stop = Effect.fnUntraced(function* (executor: Running) {
  const children = descendantsOf(executor.pid)
  assert.isAtLeast(children.length, 2, "the chain and its guard")
  yield* executor.kill("SIGINT")
  const ending = yield* executor.ended.pipe(Effect.timeout(STOP_TIMEOUT))
  assert.deepStrictEqual(ending, { code: 0, signal: null })
  assert.match(executor.said.stdout, /👋 AI Mint Executor stopped\n$/)
  assert.strictEqual(executor.said.stderr, "")
  yield* untilGone(children)
})

const BANNER = [
  "AI Mint Executor v",
  "Network: local (chain 31337)",
  "🏖️ Local network",
  "Starting AI Mint Executor...",
  "Monitoring for funded tasks..."
]

// Both mostly wait for blocks; and two networks on one machine have to share out the ports.
describe.concurrent("the local network", () => {
  it.live(
    "starts with nothing set, carries out its sample order and one more, stops at Ctrl-C, and knows them when it is back",
    () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const executor = yield* startExecutor(directory, QUICK)
        for (const words of BANNER) yield* executor.line(words)
        yield* executor.line("🛒 Sample order")
        const running = yield* network(directory)
        const [sample] = yield* running.orders
        if (sample === undefined) return assert.fail("there is no sample order")
        const desk = yield* start({
          args: [join(ROOT, "src/sandbox/order.ts"), "--quantity", "3", "--pay", "now"],
          cwd: directory
        })
        assert.deepStrictEqual(yield* desk.ended, { code: 0, signal: null })
        const id = /Task: +(\S+)/.exec(desk.said.stdout)?.[1] ?? ""

        const short = sample.id.slice(0, 8)
        const story = ["pending_payment → funded", "funded → processing", "processing → completed"]
        for (const words of story) yield* executor.line(`Task ${short}: ${words}`)
        yield* assertCarriedOut(running, yield* untilCompleted(running, sample.id, executor))
        const order = yield* untilCompleted(running, id, executor)
        assert.strictEqual(order.quantity, 3)
        yield* assertCarriedOut(running, order)
        yield* stop(executor)
        assert.isFalse(existsSync(join(directory, ".data/sandbox.json")))

        const again = yield* startExecutor(directory, QUICK)
        yield* again.line("Open tasks: 0 pending_payment, 0 funded, 0 processing, 0 held")
        yield* again.line("🔍 Found 0 task(s) to check...")
        const back = yield* network(directory)
        for (const closed of yield* back.orders) yield* assertCarriedOut(back, closed)
        assert.sameMembers(
          (yield* back.orders).map((one) => one.id),
          [sample.id, id]
        )
        yield* stop(again)
      }),
    TIMEOUT_MS
  )

  it.live(
    "leaves no process behind when it is killed in the middle of a payment, and makes that payment once",
    () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        // A payment whose answer is overdue is looked after the sooner, the shorter an answer may take.
        const killed = yield* startExecutor(directory, { ...QUICK, MINT_TIMEOUT: "1s" })
        yield* killed.line("🪙 Paying 5.00 USDC")
        const children = descendantsOf(killed.pid)
        yield* killed.kill("SIGKILL")
        assert.deepStrictEqual(yield* killed.ended, { code: null, signal: "SIGKILL" })
        yield* untilGone(children)

        const again = yield* startExecutor(directory, QUICK)
        yield* again.line("Open tasks: 0 pending_payment, 0 funded, 1 processing, 0 held")
        const running = yield* network(directory)
        const [sample] = yield* running.orders
        if (sample === undefined) return assert.fail("the order is gone")
        yield* assertCarriedOut(running, yield* untilCompleted(running, sample.id, again))
        yield* stop(again)
      }),
    TIMEOUT_MS
  )
})
