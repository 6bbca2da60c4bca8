import { Schema } from "effect"
import { Address } from "../../domain/Address.ts"
import { KeyId } from "../../domain/Key.ts"
import { SCOPES } from "../../domain/Scope.ts"
import { type KeyRepo, type StoredKey } from "../KeyRepo.ts"
import { orOutrun } from "./locks.ts"
import { noteDecision } from "./notes.ts"
import { type Methods, type Statements, rowsOf } from "./statements.ts"
import { instantOf } from "./TimeColumns.ts"

const Rows = Schema.Array(
  Schema.Struct({
    id: KeyId,
    name: Schema.String,
    digest: Schema.String,
    scopes: Schema.Array(Schema.Literals(SCOPES)),
    user_address: Schema.NullOr(Address),
    created_ms: Schema.Number,
    created_by: Schema.String,
    expires_ms: Schema.NullOr(Schema.Number),
    revoked_ms: Schema.NullOr(Schema.Number)
  })
)

const columns = ({ sql }: Statements) => sql`
  id, name, digest, scopes, user_address, created_by, (extract(epoch FROM created_at) * 1000)::float8 AS created_ms,
  (extract(epoch FROM expires_at) * 1000)::float8 AS expires_ms,
  (extract(epoch FROM revoked_at) * 1000)::float8 AS revoked_ms`

const keyOf = (row: (typeof Rows.Type)[number]): StoredKey => ({
  id: row.id,
  name: row.name,
  digest: row.digest,
  scopes: row.scopes,
  user: row.user_address ?? undefined,
  createdAtMs: row.created_ms,
  createdBy: row.created_by,
  expiresAtMs: row.expires_ms ?? undefined,
  revokedAtMs: row.revoked_ms ?? undefined
})

const LISTED_MAX = 1_000
const REVOKED_MAX = 100

export const keys = {
  find: (on) =>
    on.read("read a key", function* (id) {
      const [row] = yield* rowsOf(Rows)(on.sql`SELECT ${columns(on)} FROM ai_agent_keys WHERE id = ${id}::uuid`)
      return row && keyOf(row)
    }),

  list: (on) =>
    on.once("list the keys", function* () {
      const { sql } = on
      const rows = yield* rowsOf(Rows)(sql`
        (SELECT ${columns(on)} FROM ai_agent_keys WHERE revoked_at IS NULL
          ORDER BY created_at DESC, id LIMIT ${LISTED_MAX}::int)
        UNION ALL
        (SELECT ${columns(on)} FROM ai_agent_keys WHERE revoked_at IS NOT NULL
          ORDER BY revoked_at DESC, id LIMIT ${REVOKED_MAX}::int)`)
      return rows.map(keyOf)
    })(),

  create: (on) =>
    on.transact("create a key", function* (key, decision) {
      const { sql } = on
      const { id, name, digest, scopes, user, createdBy, createdAtMs, expiresAtMs } = key
      yield* orOutrun(sql`
        INSERT INTO ai_agent_keys (id, name, digest, scopes, user_address, created_at, created_by, expires_at)
        VALUES (${id}::uuid, ${name}, ${digest}, ${scopes}::text[], ${user ?? null}, ${instantOf(sql, createdAtMs)},
          ${createdBy}, ${instantOf(sql, expiresAtMs ?? null)})
        ON CONFLICT DO NOTHING RETURNING id`)
      yield* noteDecision(on, decision, {}, createdAtMs)
    }),

  revoke: (on) =>
    on.transact("revoke a key", function* (id, decision, nowMs) {
      const { sql } = on
      yield* orOutrun(sql`
        UPDATE ai_agent_keys SET revoked_at = ${instantOf(sql, nowMs)}
        WHERE id = ${id}::uuid AND revoked_at IS NULL RETURNING id`)
      yield* noteDecision(on, decision, {}, nowMs)
    })
} satisfies Methods<KeyRepo["Service"]>
