import { Redacted, Schema } from "effect"
import { Address } from "../../../domain/Address.ts"
import { KeyId } from "../../../domain/Key.ts"
import { QuoteId, QUOTES_MAX } from "../../../domain/Quote.ts"
import { TaskId } from "../../../domain/Task.ts"
import { Usdc } from "../../../domain/Usdc.ts"
import { WalletId } from "../../../domain/Wallet.ts"
import type { DecisionRepo } from "../../DecisionRepo.ts"
import { orOutrun } from "../locks.ts"
import { noteDecision } from "../notes.ts"
import { type Methods, rowsOf } from "../statements.ts"
import { instantOf } from "../TimeColumns.ts"

const Rows = Schema.Array(
  Schema.Struct({
    id: QuoteId,
    key_id: Schema.NullOr(KeyId),
    wallet_id: WalletId,
    token: Address,
    quantity: Schema.Number,
    price_per_mint: Usdc,
    created_ms: Schema.Number,
    expires_ms: Schema.Number,
    task_id: Schema.NullOr(TaskId)
  })
)

/** Quotes that were used by no order are of no use to anyone a day later. */
const KEPT_MS = 86_400_000

/** Any two numbers that no other program uses as an advisory lock: one for quotes, one for wallets. */
const QUOTES = 1_730_221
const WALLETS = 1_730_222

/** What is prepared for an order: a quote, and the wallet of a person. */
export const quotes = {
  saveQuote: (on) =>
    on.transact("save a quote", function* (quote) {
      const { sql } = on
      const { id, keyId = null, walletId, token, quantity, pricePerMint, createdAtMs, expiresAtMs } = quote
      const now = instantOf(sql, createdAtMs)
      yield* sql`SELECT pg_advisory_xact_lock(${QUOTES}::int, hashtext(${keyId ?? ""}))`
      yield* sql`
        DELETE FROM ai_agent_quotes WHERE task_id IS NULL AND key_id IS NOT DISTINCT FROM ${keyId}::uuid
          AND expires_at < ${instantOf(sql, createdAtMs - KEPT_MS)}`
      const rows = yield* sql`
        INSERT INTO ai_agent_quotes (id, key_id, wallet_id, token, quantity, price_per_mint, created_at, expires_at)
        SELECT ${id}::uuid, ${keyId}::uuid, ${walletId}::uuid, ${token}, ${quantity}::int, ${pricePerMint}::bigint, ${now},
          ${instantOf(sql, expiresAtMs)}
        WHERE (SELECT count(*) FROM ai_agent_quotes WHERE task_id IS NULL
          AND key_id IS NOT DISTINCT FROM ${keyId}::uuid AND expires_at > ${now}) < ${QUOTES_MAX}::int
        RETURNING id`
      return rows.length > 0
    }),

  findQuote: ({ once, sql }) =>
    once("read a quote", function* (id) {
      const [row] = yield* rowsOf(Rows)(sql`
        SELECT id, key_id, wallet_id, token, quantity, price_per_mint, task_id,
          (extract(epoch FROM created_at) * 1000)::float8 AS created_ms,
          (extract(epoch FROM expires_at) * 1000)::float8 AS expires_ms
        FROM ai_agent_quotes WHERE id = ${id}::uuid`)
      return (
        row && {
          id: row.id,
          keyId: row.key_id ?? undefined,
          walletId: row.wallet_id,
          token: row.token,
          quantity: row.quantity,
          pricePerMint: row.price_per_mint,
          createdAtMs: row.created_ms,
          expiresAtMs: row.expires_ms,
          taskId: row.task_id ?? undefined
        }
      )
    }),

  /** Lock, then look: a person's address may be stored in any case, so that no index of v1.1 keeps two rows apart. */
  createWallet: (on) =>
    on.transact("create a wallet", function* ({ id, userAddress, agentAddress, encryptedPrivateKey }, decision, nowMs) {
      const { sql, time } = on
      yield* sql`SELECT pg_advisory_xact_lock(${WALLETS}::int, hashtext(${userAddress}))`
      const now = (column: string) => time.write("ai_agent_wallets", column, nowMs)
      yield* orOutrun(sql`
        INSERT INTO ai_agent_wallets (id, user_address, agent_address, encrypted_private_key, created_at, updated_at)
        SELECT ${id}::uuid, ${userAddress}, ${agentAddress}, ${Redacted.value(encryptedPrivateKey)},
          ${now("created_at")}, ${now("updated_at")}
        WHERE NOT EXISTS (SELECT 1 FROM ai_agent_wallets w
          WHERE ${userAddress} IN (lower(btrim(w.user_address)), lower(btrim(w.agent_address))))
        ON CONFLICT DO NOTHING RETURNING id`)
      yield* noteDecision(on, decision, { walletId: id }, nowMs)
    })
} satisfies Methods<DecisionRepo["Service"]>
