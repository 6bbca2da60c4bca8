import { Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { parse } from "../domain/Address.ts"
import { identityFault } from "../domain/Wallet.ts"
import { counted } from "../domain/text.ts"
import { plainAddress } from "../ledger/sql/identities.ts"
import { reportOn } from "./Finding.ts"

const report = reportOn("database")

/** More than these are not worth a longer line. */
const SHOWN_MAX = 3

const Twins = Schema.Array(
  Schema.Struct({ agent_address: Schema.String, ids: Schema.Array(Schema.String), accounts: Schema.Int })
)

const Changed = Schema.Array(
  Schema.Struct({
    id: Schema.String,
    user_address: Schema.String,
    agent_address: Schema.String,
    pinned_user: Schema.String,
    pinned_agent: Schema.String,
    wallets: Schema.Int
  })
)

/** Rows of `ai_agent_wallets` that share an account: in a database of v1.1 too, before anything is noted of it. */
export const twins = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const raw = yield* sql`
    SELECT a.agent_address, (array_agg(a.id ORDER BY a.created_at, a.id))[1:5] AS ids, (count(*) OVER ())::int AS accounts
    FROM (SELECT id::text AS id, created_at, ${plainAddress(sql, sql`w.agent_address`)} AS agent_address
      FROM ai_agent_wallets w) a
    GROUP BY a.agent_address HAVING count(*) > 1 ORDER BY a.agent_address LIMIT ${SHOWN_MAX}::int`
  const found = yield* Schema.decodeUnknownEffect(Twins)(raw)
  const [first] = found
  if (first === undefined) return []
  const shown = found.map(
    ({ agent_address, ids }) =>
      `${parse(agent_address) ?? JSON.stringify(agent_address)} is that of ${ids.join(" and ")}`
  )
  const detail = `${counted(first.accounts, "account")} with several rows of ai_agent_wallets: ${listed(shown, first.accounts)}`
  const remedy =
    "All of these are stopped, as two rows may not spend one account's money. Take out the one that is not the person's, as a " +
    'rule the younger one, with its orders; then: ai-mint resolve --wallet <id> --why "…".'
  return [report.warn({ what: "twin wallets", detail, remedy })]
})

/** Rows of `ai_agent_wallets` that changed since they were first seen. Needs our own tables. */
export const changedWallets = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const raw = yield* sql`
    SELECT p.id, p.user_address, p.agent_address, pin.user_address AS pinned_user, pin.agent_address AS pinned_agent,
      (count(*) OVER ())::int AS wallets
    FROM (SELECT id, ${plainAddress(sql, sql`w.user_address`)} AS user_address,
      ${plainAddress(sql, sql`w.agent_address`)} AS agent_address FROM ai_agent_wallets w) p
    JOIN ai_agent_wallet_pins pin ON pin.wallet_id = p.id
    WHERE pin.user_address <> p.user_address OR pin.agent_address <> p.agent_address
    ORDER BY p.id LIMIT ${SHOWN_MAX}::int`
  const found = yield* Schema.decodeUnknownEffect(Changed)(raw)
  const [first] = found
  if (first === undefined) return []
  const shown = found.map(({ id, user_address: userAddress, agent_address: agentAddress, ...row }) => {
    const pinned = { userAddress: row.pinned_user, agentAddress: row.pinned_agent }
    return `of wallet ${id}, ${identityFault({ userAddress, agentAddress, pinned, twin: undefined }) ?? "an address"}`
  })
  const detail = `${counted(first.wallets, "row")} of ai_agent_wallets changed since first seen: ${listed(shown, first.wallets)}`
  const remedy =
    "These wallets are stopped. Unless the platform meant it, put the old address back and find out who may write that " +
    'table; then: ai-mint resolve --wallet <id> --why "…" (docs/runbook.md, a stopped wallet).'
  return [report.warn({ what: "changed wallets", detail, remedy })]
})

const listed = (shown: ReadonlyArray<string>, all: number): string =>
  `${shown.join("; ")}${all > shown.length ? `, and ${all - shown.length} more` : ""}`
