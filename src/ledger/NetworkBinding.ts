import { Effect, Runtime, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { Address, Bytes32 } from "../domain/Address.ts"
import { bindingProblem, problemMessage } from "../domain/requirements.ts"

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

const Rows = Schema.Array(Schema.Struct({ chain_id: Schema.BigInt, usdc: Schema.String, genesis: Schema.String }))
/** The chain that the database was first used with; undefined before its first use. Fails where it has no such table. */
export const readBinding = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* Schema.decodeUnknownEffect(Rows)(yield* sql`SELECT chain_id, usdc, genesis FROM ai_agent_network`)
  const [row] = rows
  return row && { chainId: Number(row.chain_id), usdc: row.usdc, genesis: row.genesis }
})

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
  const problem = bindingProblem(bound, chain)
  if (problem !== undefined) return new WrongDatabase({ message: problemMessage(problem) })
  return yield* noteFirstBlock(sql, chain)
})

/** Once and for ever. A database that was bound before this was noted gets it at its next start. */
const noteFirstBlock = (sql: SqlClient.SqlClient, { confirmedBlock }: ChainIdentity) =>
  Effect.as(
    sql`UPDATE ai_agent_network SET first_block = ${confirmedBlock}::bigint WHERE first_block IS NULL`,
    undefined
  )
