import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Array as Arr, Clock, Console, Duration, Effect, Layer, type Redacted, Tracer } from "effect"
import { FetchHttpClient } from "effect/http"
import { SqlClient } from "effect/sql"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { generatePrivateKey, privateKeyToAddress } from "viem/accounts"
import { ChainClient } from "../../src/chain/ChainClient.ts"
import { Settings } from "../../src/config/Settings.ts"
import { type Address, address } from "../../src/domain/Address.ts"
import { Sweep } from "../../src/executor/Sweep.ts"
import * as Logger from "../../src/ops/Logger.ts"
import { encryptKey } from "../../src/sandbox/OrderDesk.ts"
import { executorOn } from "../../src/sandbox/run.ts"
import { open } from "../../src/sandbox/Sandbox.ts"
import { defaults } from "../support/settings.ts"

/** Wallets with one pending order each. */
const WALLETS = 1_000

/** Sweeps that are timed, after one that is not: it opens every wallet's key for the first time. */
const SWEEPS = 5

/** Wallets whose balance is asked one by one, as v1.1 did, for the ratio. */
const ONE_BY_ONE = 100

const seed = Effect.fnUntraced(function* (token: string, encryptionKey: Redacted.Redacted) {
  const sql = yield* SqlClient.SqlClient
  const wallets = Arr.makeBy(WALLETS, () => {
    const [agent, user] = [generatePrivateKey(), generatePrivateKey()]
    return {
      user_address: privateKeyToAddress(user).toLowerCase(),
      agent_address: privateKeyToAddress(agent).toLowerCase(),
      encrypted_private_key: encryptKey(agent, encryptionKey)
    }
  })
  yield* sql`INSERT INTO ai_agent_wallets ${sql.insert(wallets)}`
  yield* sql`
    INSERT INTO ai_agent_tasks (user_address, agent_wallet_id, token_address, quantity, price_per_mint, total_cost)
    SELECT user_address, id, ${token}, 2, 1000000, 2000000 FROM ai_agent_wallets`
  return wallets.map(({ agent_address }) => address(agent_address))
})

const timed = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const startMs = yield* Clock.currentTimeMillis
    yield* work
    return (yield* Clock.currentTimeMillis) - startMs
  })

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

/** What one sweep over a thousand pending orders costs, on the real chain client and the embedded database. */
const bench = Effect.gen(function* () {
  const dataDir = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "ai-mint-bench-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  const sandbox = yield* open({ dataDir, paymentTimeout: Duration.minutes(10), checkInterval: Duration.seconds(10) })
  const count = { rpc: 0, sql: 0 }
  const countingFetch: typeof fetch = (...request) => {
    count.rpc++
    return fetch(...request)
  }
  const countingTracer = Tracer.make({
    span: (options) => {
      // A statement's span is named after the database (OpenTelemetry, database spans).
      if (options.name.startsWith("postgres")) count.sql++
      return new Tracer.NativeSpan(options)
    }
  })
  const settings = { ...defaults, logLevel: "None" as const }
  yield* Effect.gen(function* () {
    const wallets = yield* seed(sandbox.token, sandbox.encryptionKey)
    const { tick } = yield* Sweep
    const chain = yield* ChainClient
    const first = yield* timed(tick)
    Object.assign(count, { rpc: 0, sql: 0 })
    const sweeps: Array<number> = []
    for (let sweep = 0; sweep < SWEEPS; sweep++) sweeps.push(yield* timed(tick))
    const perSweep = { rpc: count.rpc / SWEEPS, sql: count.sql / SWEEPS }
    const readAlone = (wallet: Address) => chain.readBalances([wallet])
    const oneByOne = yield* timed(Effect.forEach(wallets.slice(0, ONE_BY_ONE), readAlone, { discard: true }))
    const together = yield* timed(chain.readBalances(wallets))
    const ratio = ((oneByOne / ONE_BY_ONE) * WALLETS) / Math.max(1, together)
    yield* Console.log(`A sweep over ${WALLETS} pending orders in ${WALLETS} wallets`)
    yield* Console.log(`  HTTP requests to the chain: ${perSweep.rpc}`)
    yield* Console.log(`  SQL statements: ${perSweep.sql}`)
    yield* Console.log(`  first sweep (opens every key): ${first} ms, then median ${median(sweeps)} ms`)
    yield* Console.log(`  balances one by one, as v1.1 read them, take ${ratio.toFixed(0)} times as long as together`)
  }).pipe(
    Effect.provide(
      executorOn(sandbox, settings).pipe(
        Layer.provideMerge(Logger.layer),
        Layer.provideMerge(Layer.succeed(FetchHttpClient.Fetch, countingFetch)),
        Layer.provideMerge(Layer.succeedContext(sandbox.database)),
        Layer.provideMerge(Layer.succeed(Settings, settings)),
        Layer.provideMerge(Layer.succeed(Tracer.Tracer, countingTracer))
      )
    )
  )
}).pipe(Effect.scoped)

NodeRuntime.runMain(bench)
