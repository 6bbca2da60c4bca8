import { Effect, Result, Schema } from "effect"
import { type WalletId, identityFault } from "../../../domain/Wallet.ts"
import { type StoppedWallet, type TaskRepo } from "../../TaskRepo.ts"
import { instantOf } from "../TimeColumns.ts"
import { pinWallets, plainAddress } from "../identities.ts"
import { orOutrun } from "../locks.ts"
import { noteStop } from "../notes.ts"
import { IdentityFields, WalletFields, identityOf, readWallet, walletColumns } from "../rows.ts"
import { type Methods, type Statements, rowsOf } from "../statements.ts"

/** Wallets that are stopped in one look: more than that is no row, and waits for the next look. */
const STOPS_MAX = 500

const Faulty = Schema.Array(Schema.Struct({ ...WalletFields, ...IdentityFields }))

/** Rows that say something else than was noted, or that share an account, of wallets that are not stopped yet. */
const faulty = Effect.fnUntraced(function* ({ sql }: Statements) {
  const [user, agent] = [plainAddress(sql, sql`w.user_address`), plainAddress(sql, sql`w.agent_address`)]
  return yield* rowsOf(Faulty)(sql`
    WITH present AS (
      SELECT w.id, ${user} AS user_address, ${agent} AS agent_address FROM ai_agent_wallets w
    ), shared AS (
      SELECT agent_address, min(id::text) AS first, max(id::text) AS last FROM present GROUP BY 1 HAVING count(*) > 1
    )
    SELECT p.id AS wallet_id, p.user_address AS wallet_user, p.agent_address AS wallet_address, NULL AS wallet_key,
      pin.user_address AS pinned_user, pin.agent_address AS pinned_agent,
      CASE WHEN shared.first = p.id::text THEN shared.last ELSE shared.first END AS twin
    FROM present p
    JOIN ai_agent_wallet_pins pin ON pin.wallet_id = p.id
    LEFT JOIN shared ON shared.agent_address = p.agent_address
    LEFT JOIN ai_agent_wallet_state ws ON ws.wallet_id = p.id
    WHERE ws.stopped_at IS NULL AND (shared.first IS NOT NULL OR pin.user_address <> p.user_address
      OR pin.agent_address <> p.agent_address)
    ORDER BY p.id LIMIT ${STOPS_MAX}::int`)
})

interface Stop {
  readonly walletId: WalletId
  readonly reason: string
}

/** Also where its money moved meanwhile: the row itself is wrong. False where it is stopped already. */
const stopNow = Effect.fnUntraced(function* (on: Statements, { walletId, reason }: Stop, nowMs: number) {
  const { sql } = on
  const rows = yield* sql`
    INSERT INTO ai_agent_wallet_state AS ws (wallet_id, version, stopped_at, stopped_reason)
    VALUES (${walletId}::uuid, 1, ${instantOf(sql, nowMs)}, ${reason})
    ON CONFLICT (wallet_id) DO UPDATE SET version = ws.version + 1, stopped_at = excluded.stopped_at,
      stopped_reason = excluded.stopped_reason
    WHERE ws.stopped_at IS NULL
    RETURNING wallet_id`
  if (rows.length === 0) return false
  // The wallet is stopped, whether or not the rows of its orders can be written.
  yield* Effect.ignore(sql.withTransaction(noteStop(on, { walletId, reason }, nowMs)))
  return true
})

const WalletRecords = Schema.Array(Schema.Struct(WalletFields))

export const wallets = {
  checkWallets: (on) =>
    on.once("check the wallets", function* (nowMs) {
      yield* pinWallets(on, on.sql`SELECT id FROM ai_agent_wallets`)
      const stopped: Array<StoppedWallet> = []
      for (const row of yield* faulty(on)) {
        const reason = identityFault(identityOf(row))
        if (reason === undefined || row.wallet_id === null) continue
        if (!(yield* stopNow(on, { walletId: row.wallet_id, reason }, nowMs))) continue
        stopped.push({ walletId: row.wallet_id, agentAddress: row.pinned_agent ?? "", reason })
      }
      return stopped
    }),

  stopWallet: (on) =>
    on.transact("stop a wallet", function* (stop, nowMs) {
      const { sql } = on
      yield* orOutrun(sql`
        UPDATE ai_agent_wallet_state SET version = version + 1, stopped_at = ${instantOf(sql, nowMs)},
          stopped_reason = ${stop.reason}
        WHERE wallet_id = ${stop.walletId}::uuid AND version = ${stop.version}::bigint AND stopped_at IS NULL
        RETURNING wallet_id`)
      yield* noteStop(on, stop, nowMs)
    }),

  sampleWallets: ({ read, sql }) =>
    read("read a sample of the wallets", function* (count) {
      const half = sql`${Math.ceil(count / 2)}::int`
      const rows = yield* rowsOf(WalletRecords)(sql`
        SELECT ${walletColumns(sql)} FROM ai_agent_wallets w WHERE w.id IN (
          (SELECT id FROM ai_agent_wallets ORDER BY created_at DESC LIMIT ${half})
          UNION (SELECT id FROM ai_agent_wallets ORDER BY created_at LIMIT ${half}))`)
      return rows.flatMap((row) => {
        const wallet = readWallet(row.wallet_id ?? "", row)
        return Result.isFailure(wallet) ? [] : [wallet.success]
      })
    })
} satisfies Methods<TaskRepo["Service"]>
