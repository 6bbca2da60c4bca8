import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { Lie, Piece } from "./Doc.ts"

const Names = Schema.Array(Schema.Struct({ name: Schema.String }))

/** Tables, columns, triggers, functions and indexes by name. */
export const namesOf = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql`
    SELECT relname AS name FROM pg_class UNION SELECT proname FROM pg_proc
    UNION SELECT tgname FROM pg_trigger UNION SELECT attname FROM pg_attribute`
  return new Set((yield* Schema.decodeUnknownEffect(Names)(rows)).map(({ name }) => name))
})

/** An id that nobody has, for what the reader fills in. */
const NOBODY = "00000000-0000-0000-0000-000000000000"

/** EXPLAIN knows none of these. test/ledger/roles.test.ts types what the documents have of them. */
const OF_ROLES = /^(?:CREATE ROLE|GRANT)\b/

/** What a statement would do, without doing it. */
export const wrongStatement = Effect.fnUntraced(function* (piece: Piece) {
  const sql = yield* SqlClient.SqlClient
  const text = piece.text.replaceAll("'…'", `'${NOBODY}'`)
  if (OF_ROLES.test(text.trim())) return []
  return yield* sql.unsafe(`EXPLAIN ${text}`).pipe(
    Effect.as<ReadonlyArray<Lie>>([]),
    Effect.catch((error) =>
      Effect.succeed([{ file: piece.file, line: piece.line, what: `the statement does not run: ${deepest(error)}` }])
    )
  )
})

/** The server's own words are at the bottom. */
const deepest = (error: unknown): string => {
  let at = error
  while (at instanceof Error && at.cause !== undefined) at = at.cause
  return at instanceof Error ? at.message : String(at)
}

export const layer = (url: string) => PgClient.layer({ url: Redacted.make(url), maxConnections: 2 })
