import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Clock, ConfigProvider, Console, Duration, Effect, Layer, Option } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseAbiItem } from "viem"
import { monitor, state } from "../App.ts"
import { load } from "../config/load.ts"
import { local, Network } from "../config/Network.ts"
import { Settings } from "../config/Settings.ts"
import { duration } from "../domain/time.ts"
import { format } from "../domain/Usdc.ts"
import * as Logger from "../ops/Logger.ts"
import type { PlacedOrder } from "./OrderDesk.ts"
import { executorOn } from "./run.ts"
import { open, type Sandbox } from "./Sandbox.ts"
import type { Order } from "./SandboxApi.ts"

/** The scenarios run so many times faster than real time: 10 minutes take 15 seconds. */
const SPEED = 40

const scaled = (minutes: number, seconds = 0): Duration.Duration =>
  Duration.millis(((minutes * 60 + seconds) * 1000) / SPEED)

/** How often the table is looked at for a change. */
const LOOK = Duration.millis(100)

/** Longer than any of the scenarios takes. */
const SCENARIO_MAX = Duration.seconds(50)

/** The defaults, but for the pace. */
const settings = load({ terminal: false }).pipe(
  Effect.provideService(
    ConfigProvider.ConfigProvider,
    ConfigProvider.fromEnvRecord({
      CHECK_INTERVAL: String(Duration.toMillis(scaled(0, 10))),
      MINT_INTERVAL: String(Duration.toMillis(scaled(0, 5))),
      PAYMENT_TIMEOUT: String(Duration.toMillis(scaled(10))),
      LOG_LEVEL: "WARN"
    })
  ),
  Effect.provide([Network.layerLocal, NodeServices.layer])
)

interface Scenario {
  readonly number: number
  readonly title: string
  readonly quantity: number
  /** When the person pays, on the scaled clock. */
  readonly paidAfter: Duration.Duration | undefined
  readonly ends: "completed" | "cancelled"
}

const scenarios: ReadonlyArray<Scenario> = [
  { number: 1, title: "created, paid at 0:05", quantity: 5, paidAfter: scaled(0, 5), ends: "completed" },
  { number: 2, title: "created, never paid", quantity: 3, paidAfter: undefined, ends: "cancelled" },
  { number: 3, title: "created, paid at 9:00", quantity: 12, paidAfter: scaled(9), ends: "completed" }
]

const TIMEOUT_MESSAGE = "Payment timeout: No sufficient balance received within 15 seconds"

/** Plays one scenario and says what is wrong with how it ended: nothing, if all is well. */
const play = Effect.fn("demo.play")(function* (sandbox: Sandbox, scenario: Scenario) {
  const { orderDesk, token, pricePerMint } = sandbox
  const startMs = yield* Clock.currentTimeMillis
  const print = Effect.fnUntraced(function* (words: string) {
    const passedMs = ((yield* Clock.currentTimeMillis) - startMs) * SPEED
    yield* Console.log(`  ${duration(passedMs).padStart(7)}  order ${scenario.number}: ${words}`)
  })
  const order = yield* orderDesk.placeOrder({ token, pricePerMint, quantity: scenario.quantity })
  yield* print(`${scenario.quantity} mints for ${format(order.totalCost)} USDC, pending_payment`)
  const { paidAfter } = scenario
  if (paidAfter !== undefined) {
    const payment = Effect.andThen(
      orderDesk.pay(order.agentAddress, order.totalCost),
      print("the person's USDC is in a block")
    )
    yield* Effect.forkScoped(Effect.delay(payment, paidAfter))
  }
  const end = yield* follow(sandbox, order, print).pipe(Effect.timeoutOption(SCENARIO_MAX))
  const faults = Option.isNone(end) ? ["it did not end"] : yield* inspect(sandbox, scenario, order, end.value)
  return faults.map((fault) => `order ${scenario.number}: ${fault}`)
})

/** Prints every change of the row until the order is closed. */
const follow = Effect.fnUntraced(function* (
  { orderDesk }: Sandbox,
  { taskId }: PlacedOrder,
  print: (words: string) => Effect.Effect<void>
) {
  let shown = "pending_payment, 0"
  while (true) {
    const order = yield* orderDesk.readOrder(taskId)
    const state = `${order.status}, ${order.mints_completed}`
    if (state !== shown) yield* print(`${order.status}, ${order.mints_completed} of ${order.quantity} minted`)
    if (order.status === "completed" || order.status === "cancelled" || order.status === "failed") return order
    shown = state
    yield* Effect.sleep(LOOK)
  }
})

const tokensMinted = parseAbiItem("event TokensMinted(address indexed to, uint256 amount, bytes32 id)")
const transferred = parseAbiItem("event Transfer(address indexed from, address indexed to, uint256 value)")

/** The table and the chain, each by itself. */
const inspect = Effect.fnUntraced(function* (sandbox: Sandbox, scenario: Scenario, placed: PlacedOrder, order: Order) {
  const { chain, token } = sandbox
  const mints = yield* chain.ask("count the mints", (client) =>
    client.getLogs({ address: token, event: tokensMinted, args: { to: placed.userAddress }, fromBlock: 0n })
  )
  const payments = yield* chain.ask("add up the payments", (client) =>
    client.getLogs({
      address: local.usdc.address,
      event: transferred,
      args: { from: placed.agentAddress },
      fromBlock: 0n
    })
  )
  const paid = payments.reduce((total, { args }) => total + (args.value ?? 0n), 0n)
  const isCompleted = scenario.ends === "completed"
  const expected = {
    "status in the table": [order.status, scenario.ends],
    "mints in the table": [order.mints_completed, isCompleted ? scenario.quantity : 0],
    "message in the table": [order.error_message, isCompleted ? null : TIMEOUT_MESSAGE],
    "mints on chain": [mints.length, isCompleted ? scenario.quantity : 0],
    "USDC paid on chain": [paid, isCompleted ? placed.totalCost : 0n]
  }
  return Object.entries(expected).flatMap(([what, [found, wanted]]) =>
    found === wanted ? [] : [`${what}: ${found} where ${wanted} was expected`]
  )
})

const demo = Effect.gen(function* () {
  yield* Console.log("AI Mint Executor, three scenarios on a local network: 10 minutes in 15 seconds.\n")
  const dataDir = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "ai-mint-demo-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  const asked = yield* settings
  const { paymentTimeout, checkInterval } = asked
  const sandbox = yield* open({ dataDir, paymentTimeout, checkInterval })
  for (const { number, title, ends } of scenarios) yield* Console.log(`  ${number}. ${title}: to be ${ends}`)
  yield* Console.log("")
  const playAll = Effect.forEach(scenarios, (scenario) => play(sandbox, scenario), { concurrency: "unbounded" })
  const faults = yield* playAll.pipe(
    Effect.raceFirst(monitor(Effect.void)),
    Effect.provide(executorOn(sandbox, asked)),
    Effect.provide(Layer.merge(Logger.layer, state)),
    Effect.provideService(Settings, asked)
  )
  const all = faults.flat()
  yield* Console.log(
    all.length === 0 ? "\nAll three ended as they should, in the table and on chain." : `\n${all.join("\n")}`
  )
  if (all.length > 0) return yield* Effect.fail(new Error("a scenario did not end as it should"))
}).pipe(Effect.scoped)

NodeRuntime.runMain(demo)
