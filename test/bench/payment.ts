import { Duration, Effect, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { parseAbiItem } from "viem"
import { baseSepolia } from "../../src/config/Network.ts"
import { type BaseSepolia, payAll, USDC } from "../e2e/baseSepolia.ts"
import { newDatabase, type Payer, seedOrders } from "./database.ts"
import { startExecutor } from "./executorProcess.ts"
import { openNetwork } from "./network.ts"
import type { Bench } from "./options.ts"
import { quantile } from "./report.ts"
import { openRpcProxy } from "./rpcProxy.ts"

/** Payments of a round, one after another with a pause that puts them anywhere between two sweeps and two blocks. */
const PAYMENTS = 25
const PAUSE = Duration.millis(730)

/** The default of `CONFIRMATIONS`, the payment's own block included. */
const CONFIRMATIONS = 2

/** When each block of the chain was first seen, by its number; looks for as long as the scope is open. */
const watchBlocks = Effect.fnUntraced(function* ({ chain }: BaseSepolia) {
  const seenMs = new Map<bigint, number>()
  yield* chain
    .ask("read the block number", (client) => client.getBlockNumber())
    .pipe(
      Effect.tap((number) => Effect.sync(() => seenMs.has(number) || seenMs.set(number, Date.now()))),
      Effect.repeat(Schedule.spaced("10 millis")),
      Effect.forkScoped
    )
  return seenMs
})

const transfer = parseAbiItem("event Transfer(address indexed from, address indexed to, uint256 value)")

/** The block of the payment into each wallet. */
const paymentBlocks = ({ chain }: BaseSepolia, payers: ReadonlyArray<Payer>) =>
  chain
    .ask("read the payments", (client) =>
      client.getLogs({
        address: USDC,
        event: transfer,
        args: { to: payers.map((one) => one.agentAddress) },
        fromBlock: 0n
      })
    )
    .pipe(Effect.map((logs) => new Map(logs.map((log) => [log.args.to?.toLowerCase(), log.blockNumber]))))

/** When each wallet's order was funded, milliseconds since 1970. */
const funded = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ readonly wallet: string; readonly ms: number }>`
    SELECT w.agent_address AS wallet, (extract(epoch FROM e.at) * 1000)::float8 AS ms
    FROM ai_agent_events e JOIN ai_agent_wallets w ON w.id = e.wallet_id WHERE e.kind = 'task.funded'`
  return new Map(rows.map(({ wallet, ms }) => [wallet, ms]))
})

const POLL = Schedule.spaced("500 millis")

/** How the executor gets to know of a new block. */
type Way = "asked for" | "announced"

const WAYS: ReadonlyArray<Way> = ["asked for", "announced"]

/** How far the node is, in milliseconds. Announcements come without delay. */
const NODE_MS = [0, 80]

interface Case {
  readonly way: Way
  readonly nodeMs: number
}

const nameOf = ({ way, nodeMs }: Case): string => `blocks ${way}${nodeMs === 0 ? "" : `, ${nodeMs} ms to the node`}`

/** All of the URLs lead to the one node. */
const rpcUrlsFor = Effect.fnUntraced(function* ({ way, nodeMs }: Case, rpcUrl: string) {
  const asked = nodeMs === 0 ? rpcUrl : (yield* openRpcProxy(rpcUrl, { delayMs: nodeMs, isCounting: false })).url
  return way === "asked for" ? asked : `${asked},${rpcUrl.replace(/^http/, "ws")}`
})

/** What each payment waited from the block that has it: in milliseconds and blocks, and until it was confirmed. */
const waits = Effect.fnUntraced(function* (bench: Bench, one: Case) {
  const network = yield* openNetwork
  // As on Base: the executor asks for a block when it is about to come.
  yield* network.chain.ask("make blocks at the pace of Base", (client) =>
    client.setIntervalMining({ interval: baseSepolia.blockSeconds })
  )
  const database = yield* newDatabase(bench.server)
  return yield* Effect.gen(function* () {
    const payers = yield* seedOrders(PAYMENTS, 1)
    const seenMs = yield* watchBlocks(network)
    const settings = { CHECK_INTERVAL: "10s", MINT_INTERVAL: "5s" }
    const rpcUrl = yield* rpcUrlsFor(one, network.chain.rpcUrl)
    const executor = yield* startExecutor({ network, databaseUrl: database.executorUrl, rpcUrl, settings })
    yield* executor.line("🔍 Found")
    yield* Effect.forEach(payers, (who) => Effect.delay(payAll(network, [{ who, mints: 1 }]), PAUSE))
    const fundedMs = yield* Effect.repeat(funded, { schedule: POLL, until: ({ size }) => size === PAYMENTS }).pipe(
      Effect.raceFirst(executor.died)
    )
    const blocks = yield* paymentBlocks(network, payers)
    return payers.map(({ agentAddress }) => {
      const block = blocks.get(agentAddress) ?? 0n
      const [atMs = 0, thenMs = 0] = [seenMs.get(block), fundedMs.get(agentAddress)]
      const confirmedMs = (seenMs.get(block + BigInt(CONFIRMATIONS - 1)) ?? 0) - atMs
      const head = [...seenMs].filter(([, ms]) => ms <= thenMs).length
      const own = [...seenMs].filter(([number]) => number <= block).length
      return { ms: thenMs - atMs, blocks: head - own, confirmedMs }
    })
  }).pipe(Effect.provide(database.layer))
}, Effect.scoped)

/** From a payment in a block to `funded`. The bare time is that of its confirmations alone: no one may fund it before. */
export const payment = Effect.fnUntraced(function* (bench: Bench) {
  const roundOf = Effect.fnUntraced(function* (one: Case) {
    const all = yield* waits(bench, one)
    for (const part of [0.5, 0.95]) {
      const of = (value: (wait: (typeof all)[number]) => number) => quantile(all.map(value), part)
      const what = `p${part * 100}, ${nameOf(one)}`
      const ms = { ours: of((wait) => wait.ms), bare: of((wait) => wait.confirmedMs) }
      yield* bench.results.add(`payment to funded, ${what}; bare: confirmed`, "ms", ms)
      const blocks = { ours: of((wait) => wait.blocks), bare: CONFIRMATIONS - 1 }
      yield* bench.results.add(`payment to funded, ${what}`, "blocks", blocks)
      const lateMs = of((wait) => wait.ms - wait.confirmedMs)
      yield* bench.results.add(`confirmed to funded, ${what}`, "ms", { ours: lateMs })
    }
  })
  for (let round = 1; round <= bench.rounds; round++)
    for (const nodeMs of NODE_MS)
      for (const way of WAYS) {
        const name = `payment, ${nameOf({ way, nodeMs })}, round ${round}`
        yield* bench.results.round(name, roundOf({ way, nodeMs }))
      }
})
