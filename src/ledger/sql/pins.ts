import { Effect, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import type { Fragment } from "effect/sql/Statement"
import { identityFault, type WalletId } from "../../domain/Wallet.ts"
import type { StoppedWallet } from "../TaskRepo.ts"
import { tellStopped } from "./deposits.ts"
import { IdentityFields, identityOf, WalletFields } from "./rows.ts"
import type { Statements } from "./statements.ts"
import { instantOf } from "./TimeColumns.ts"

/** Wallets that are stopped in one look: more than that is no row, and waits for the next look. */
const STOPS_MAX = 500

/** Another program's text is no longer than this for us. */
const TEXT_MAX = 100

/** An address as every program would compare it. */
export const plainAddress = (sql: SqlClient.SqlClient, column: Fragment) =>
  sql`lower(btrim(left(${column}, ${TEXT_MAX}::int)))`

const FORM = "^0x[0-9a-f]{40}$"

/** What is noted of each of the wallets in `wallets` (a query that gives `wallet_id`), with another row of its account. */
export const identities = (sql: SqlClient.SqlClient, wallets: Fragment): Fragment => sql`
  SELECT pin.wallet_id, pin.user_address AS pinned_user, pin.agent_address AS pinned_agent,
    (SELECT min(twin.wallet_id::text) FROM ai_agent_wallet_pins twin
      JOIN ai_agent_wallets other ON other.id = twin.wallet_id
      WHERE twin.agent_address = pin.agent_address AND twin.wallet_id <> pin.wallet_id) AS twin
  FROM ai_agent_wallet_pins pin WHERE pin.wallet_id IN (${wallets})`

/** Notes the addresses of those wallets that are seen for the first time. What is no address is noted when it is one. */
export const pinWallets = ({ sql }: Statements, wallets: Fragment) => {
  const [user, agent] = [plainAddress(sql, sql`w.user_address`), plainAddress(sql, sql`w.agent_address`)]
  return sql`
    INSERT INTO ai_agent_wallet_pins (wallet_id, user_address, agent_address)
    SELECT w.id, ${user}, ${agent} FROM ai_agent_wallets w
    WHERE w.id IN (${wallets}) AND ${user} ~ ${FORM} AND ${agent} ~ ${FORM}
      AND NOT EXISTS (SELECT 1 FROM ai_agent_wallet_pins pin WHERE pin.wallet_id = w.id)
    ORDER BY w.id
    ON CONFLICT DO NOTHING`
}

const Faulty = Schema.Array(Schema.Struct({ ...WalletFields, ...IdentityFields }))

/** Rows that say something else than was noted, or that share an account, of wallets that are not stopped yet. */
const faulty = Effect.fnUntraced(function* ({ sql }: Statements) {
  const [user, agent] = [plainAddress(sql, sql`w.user_address`), plainAddress(sql, sql`w.agent_address`)]
  const raw = yield* sql`
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
    ORDER BY p.id LIMIT ${STOPS_MAX}::int`
  return yield* Schema.decodeUnknownEffect(Faulty)(raw)
})

export const checkWallets = Effect.fnUntraced(function* (on: Statements, nowMs: number) {
  yield* pinWallets(on, on.sql`SELECT id FROM ai_agent_wallets`)
  const stopped: Array<StoppedWallet> = []
  for (const row of yield* faulty(on)) {
    const reason = identityFault(identityOf(row))
    if (reason === undefined || row.wallet_id === null) continue
    if (!(yield* stopNow(on, { walletId: row.wallet_id, reason }, nowMs))) continue
    stopped.push({ walletId: row.wallet_id, agentAddress: row.pinned_agent ?? "", reason })
  }
  return stopped
})

interface Stop {
  readonly walletId: WalletId
  readonly reason: string
}

/** Whatever moved its money meanwhile: the row itself is wrong. False where it is stopped already. */
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
  yield* Effect.ignore(sql.withTransaction(tellStopped(on, { walletId, reason }, nowMs)))
  return true
})

/** What was noted of a wallet becomes what a person has looked at. */
export const repin = (
  { sql }: Statements,
  walletId: WalletId,
  seen: { readonly userAddress: string; readonly agentAddress: string }
) => sql`
  INSERT INTO ai_agent_wallet_pins AS pin (wallet_id, user_address, agent_address)
  VALUES (${walletId}::uuid, ${seen.userAddress}, ${seen.agentAddress})
  ON CONFLICT (wallet_id) DO UPDATE SET user_address = excluded.user_address, agent_address = excluded.agent_address`
