import { Effect, Runtime, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { Address, Bytes32 } from "../domain/Address.ts"

/** The database belongs to another chain, or cannot hold or show what the ledger needs. The executor must not start. */
export class WrongDatabase extends Schema.TaggedError<WrongDatabase>()("WrongDatabase", { message: Schema.String }) {
  /** `EX_CONFIG`: pm2 does not restart what the same settings would only stop again. */
  override readonly [Runtime.errorExitCode] = 78
}

export interface ChainIdentity {
  readonly chainId: number
  readonly usdc: Address
  /** Hash of block 0. */
  readonly genesis: Bytes32
  /** The newest confirmed block at this start: what is older than the first one is another program's. */
  readonly confirmedBlock: bigint
}

/** What tells one chain from another. */
type Chain = Pick<ChainIdentity, "chainId" | "usdc" | "genesis">

const Rows = Schema.Array(Schema.Struct({ chain_id: Schema.BigInt, usdc: Schema.String, genesis: Schema.String }))
export type Binding = (typeof Rows.Type)[number]

/** The chain that the database was first used with; undefined before its first use. Fails where it has no such table. */
export const readBinding = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* Schema.decodeUnknownEffect(Rows)(yield* sql`SELECT chain_id, usdc, genesis FROM ai_agent_network`)
  return rows[0]
})

/** In what a chain differs from the one that the database belongs to; nothing where it is that one. */
export const differences = (bound: Binding, chain: Chain): ReadonlyArray<string> =>
  [
    bound.chain_id === BigInt(chain.chainId) ? [] : [`chain id ${bound.chain_id}, now ${chain.chainId}`],
    bound.usdc === chain.usdc ? [] : [`USDC ${bound.usdc}, now ${chain.usdc}`],
    bound.genesis === chain.genesis ? [] : [`genesis block ${bound.genesis}, now ${chain.genesis}`]
  ].flat()

/**
 * Binds the database to the chain at its first use. At any later use with another chain it gives the `WrongDatabase`
 * that says so. A local chain that was reset over old data counts as another one.
 */
export const bindToChain = Effect.fn("bindToChain")(function* (chain: ChainIdentity) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    INSERT INTO ai_agent_network (chain_id, usdc, genesis)
    VALUES (${chain.chainId}::bigint, ${chain.usdc}, ${chain.genesis})
    ON CONFLICT DO NOTHING`
  const bound = yield* readBinding
  if (bound === undefined) return undefined
  const found = differences(bound, chain)
  if (found.length === 0) return yield* noteFirstBlock(sql, chain)
  return new WrongDatabase({
    message:
      `This database was first used with another chain: ${found.join("; ")}. ` +
      "Set NETWORK and the RPC URL to that chain, or DATABASE_URL to the database of this one " +
      "(sandbox: npm run sandbox:reset)."
  })
})

/** Once and for ever. A database that was bound before this was noted gets it at its next start. */
const noteFirstBlock = (sql: SqlClient.SqlClient, { confirmedBlock }: ChainIdentity) =>
  Effect.as(
    sql`UPDATE ai_agent_network SET first_block = ${confirmedBlock}::bigint WHERE first_block IS NULL`,
    undefined
  )
