import { Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { Problem } from "../domain/requirements.ts"

/** In these every text of ours can be stored: PostgreSQL converts into no other one what that has no letter for. */
const ENCODINGS = ["UTF8", "SQL_ASCII"]

const Found = Schema.Tuple([
  Schema.Struct({ encoding: Schema.String, filtered: Schema.NullOr(Schema.String), role: Schema.String })
])

/** Finds what nothing else reports: an order that a policy hides is simply not there. */
export const readSoundness = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [{ encoding, filtered, role }] = yield* Schema.decodeUnknownEffect(Found)(
    yield* sql`
    SELECT current_setting('server_encoding') AS encoding, current_user::text AS role,
      (SELECT string_agg(c.relname, ', ' ORDER BY c.relname) FROM pg_class c
        WHERE c.relname LIKE 'ai\\_agent\\_%' AND c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid)
          AND row_security_active(c.oid)) AS filtered`
  )
  return [
    ...(ENCODINGS.includes(encoding) ? [] : [badEncoding(encoding)]),
    ...(filtered === null ? [] : [hiddenRows(filtered, role)])
  ]
})

const badEncoding = (encoding: string): Problem => ({
  what: "encoding",
  detail: `the database is in ${encoding}, which cannot hold every text that an order says`,
  remedy: "Create a database with ENCODING 'UTF8', and restore a dump of this one into it."
})

const hiddenRows = (tables: string, role: string): Problem => ({
  what: "row security",
  detail: `policies decide which rows of ${tables} the role ${role} sees: orders may be hidden from it`,
  remedy: `As a superuser: ALTER ROLE "${role}" BYPASSRLS; or give it the tables, without FORCE ROW LEVEL SECURITY.`
})
