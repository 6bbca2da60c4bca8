import type { SqlClient } from "effect/sql"
import type { Fragment } from "effect/sql/Statement"
import { type WalletId } from "../../domain/Wallet.ts"
import type { Statements } from "./statements.ts"

/** Another program's text is no longer than this for us. */
const TEXT_MAX = 100

/** An address as every program would compare it. */
export const plainAddress = (sql: SqlClient.SqlClient, column: Fragment) =>
  sql`lower(btrim(left(${column}, ${TEXT_MAX}::int)))`

/** What is an address, once it is written as every program would compare it. */
export const ADDRESS_FORM = "^0x[0-9a-f]{40}$"

/** What is noted of the wallet in this column, with another row of its account: a join, whose columns are those of `pins`. */
export const joinIdentity = (sql: SqlClient.SqlClient, walletId: Fragment): Fragment => sql`
  LEFT JOIN LATERAL (
    SELECT pin.user_address AS pinned_user, pin.agent_address AS pinned_agent,
      (SELECT min(twin.wallet_id::text) FROM ai_agent_wallet_pins twin
        JOIN ai_agent_wallets other ON other.id = twin.wallet_id
        WHERE twin.agent_address = pin.agent_address AND twin.wallet_id <> pin.wallet_id) AS twin
    FROM ai_agent_wallet_pins pin WHERE pin.wallet_id = ${walletId}
  ) pins ON true`

/** Notes the addresses of those wallets that are seen for the first time. What is no address is noted when it is one. */
export const pinWallets = ({ sql }: Statements, wallets: Fragment) => {
  const [user, agent] = [plainAddress(sql, sql`w.user_address`), plainAddress(sql, sql`w.agent_address`)]
  return sql`
    INSERT INTO ai_agent_wallet_pins (wallet_id, user_address, agent_address)
    SELECT w.id, ${user}, ${agent} FROM ai_agent_wallets w
    WHERE w.id IN (${wallets}) AND ${user} ~ ${ADDRESS_FORM} AND ${agent} ~ ${ADDRESS_FORM}
      AND NOT EXISTS (SELECT 1 FROM ai_agent_wallet_pins pin WHERE pin.wallet_id = w.id)
    ORDER BY w.id
    ON CONFLICT DO NOTHING`
}

/** What was noted of a wallet becomes what a person has looked at. */
export const repin = (
  { sql }: Statements,
  walletId: WalletId,
  seen: { readonly userAddress: string; readonly agentAddress: string }
) => sql`
  INSERT INTO ai_agent_wallet_pins AS pin (wallet_id, user_address, agent_address)
  VALUES (${walletId}::uuid, ${seen.userAddress}, ${seen.agentAddress})
  ON CONFLICT (wallet_id) DO UPDATE SET user_address = excluded.user_address, agent_address = excluded.agent_address`
