import { Array as Arr, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { once } from "node:events"
import { createPublicClient, http, parseAbi } from "viem"
import { MULTICALL3 } from "../../../src/chain/multicall.ts"
import type { Address } from "../../../src/domain/Address.ts"
import { USDC } from "../../e2e/baseSepolia.ts"
import { clientAt } from "../../support/LedgerSql.ts"

/** What a sweep cannot do without, and nothing besides. */
export interface BareSweep {
  readonly databaseUrl: string
  readonly rpcUrl: string
  /** How often the bare sweep is timed. */
  readonly rounds: number
}

export interface BareSwept {
  /** One query for all orders and their wallets, and all balances in as few calls as will carry them. */
  readonly bareMs: ReadonlyArray<number>
  /** A query and a call for each order, as v1.1's loop worked: of a sample, taken times the orders that there are. */
  readonly oneByOneMs: number
}

/** As the executor asks: so many reads in a call, and so many calls under way at once. */
const READS_PER_CALL = 400
const CALLS_AT_ONCE = 4

/** Orders that are looked at one by one. */
const SAMPLE = 300

const abi = parseAbi(["function balanceOf(address account) view returns (uint256)"])

interface Pending {
  readonly id: string
  readonly agent_address: Address
  readonly total_cost: bigint
}

const program = Effect.fnUntraced(function* ({ rpcUrl, rounds }: BareSweep) {
  const sql = yield* SqlClient.SqlClient
  const client = createPublicClient({ transport: http(rpcUrl) })
  const balanceOf = (account: Address) => ({ address: USDC, abi, functionName: "balanceOf", args: [account] }) as const
  const pending = sql<Pending>`
    SELECT t.id, t.total_cost, t.created_at, t.quantity, t.price_per_mint, w.agent_address, w.encrypted_private_key
    FROM ai_agent_tasks t JOIN ai_agent_wallets w ON w.id = t.agent_wallet_id
    WHERE t.status = 'pending_payment' ORDER BY t.created_at`

  const bare = Effect.gen(function* () {
    const orders = yield* pending
    const paid = yield* Effect.forEach(
      Arr.chunksOf(orders, READS_PER_CALL),
      (some) =>
        Effect.promise(async () => {
          const contracts = some.map(({ agent_address }) => balanceOf(agent_address))
          const answers = await client.multicall({
            contracts,
            batchSize: 0,
            allowFailure: false,
            multicallAddress: MULTICALL3
          })
          return answers.filter((balance, index) => (balance as bigint) >= BigInt(some[index]?.total_cost ?? 0n)).length
        }),
      { concurrency: CALLS_AT_ONCE }
    )
    return paid.reduce((sum, count) => sum + count, 0)
  })

  const oneByOne = Effect.fnUntraced(function* (orders: ReadonlyArray<Pending>) {
    for (const { id } of orders) {
      const [order] = yield* sql<Pending>`
        SELECT t.*, w.agent_address FROM ai_agent_tasks t JOIN ai_agent_wallets w ON w.id = t.agent_wallet_id
        WHERE t.id = ${id}::uuid`
      if (order !== undefined) yield* Effect.promise(() => client.readContract(balanceOf(order.agent_address)))
    }
  })

  const orders = yield* pending
  const sample = orders.slice(0, SAMPLE)
  yield* bare
  const bareMs = yield* Effect.replicateEffect(timed(bare), rounds)
  const sampleMs = yield* timed(oneByOne(sample))
  return { bareMs, oneByOneMs: (sampleMs / sample.length) * orders.length } satisfies BareSwept
})

const timed = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const startMs = performance.now()
    yield* work
    return performance.now() - startMs
  })

const [job] = (await once(process, "message")) as [BareSweep]
const swept = await Effect.runPromise(program(job).pipe(Effect.provide(clientAt(job.databaseUrl, 1))))
process.send?.(swept, () => process.disconnect())
