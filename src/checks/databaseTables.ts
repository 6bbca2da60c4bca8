import { Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { type MigrationState, pendingMigrations } from "../ledger/migrate.ts"
import { type Binding, readBinding } from "../ledger/NetworkBinding.ts"

/** One of the tables of the ledger, as this session finds it. */
export interface Table {
  readonly canSelect: boolean
  readonly canInsert: boolean
  readonly canUpdate: boolean
  readonly canDelete: boolean
  /** Only an owner may alter it or make an index on it. */
  readonly isOwned: boolean
  /** Whether `created_at` is a `timestamp` without time zone, as v1.1 makes it. */
  readonly isZoneless: boolean
}

/** What is there, read before anything in it is looked at. */
export interface Tables {
  /** By name. */
  readonly tables: ReadonlyMap<string, Table>
  readonly canCreate: boolean
  readonly migrations: MigrationState
  /** The chain that it belongs to; undefined before its first use. */
  readonly binding: Binding | undefined
  /** The code that USDC was seen to run. */
  readonly usdcCode: string | undefined
}

const Rows = Schema.Array(
  Schema.Struct({
    name: Schema.String,
    can_select: Schema.Boolean,
    can_insert: Schema.Boolean,
    can_update: Schema.Boolean,
    can_delete: Schema.Boolean,
    is_owned: Schema.Boolean,
    is_zoneless: Schema.Boolean
  })
)
const One = Schema.Tuple([Schema.Struct({ can_create: Schema.Boolean })])

const Codes = Schema.Array(Schema.Struct({ usdc_code: Schema.NullOr(Schema.String) }))

/** A database that is not up to date has no such column. */
const readUsdcCode = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const raw = yield* sql`SELECT to_jsonb(n) ->> 'usdc_code' AS usdc_code FROM ai_agent_network n`
  const [row] = yield* Schema.decodeUnknownEffect(Codes)(raw)
  return row?.usdc_code ?? undefined
})

export const readTables = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* Schema.decodeUnknownEffect(Rows)(
    yield* sql`
    SELECT c.relname::text AS name, pg_has_role(c.relowner, 'USAGE') AS is_owned,
      has_table_privilege(c.oid, 'SELECT') AS can_select, has_table_privilege(c.oid, 'INSERT') AS can_insert,
      has_table_privilege(c.oid, 'UPDATE') AS can_update, has_table_privilege(c.oid, 'DELETE') AS can_delete,
      EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'created_at'
        AND NOT a.attisdropped AND a.atttypid = 'timestamp'::regtype) AS is_zoneless
    FROM pg_class c
    WHERE c.relkind IN ('r', 'p') AND starts_with(c.relname::text, 'ai_agent_') AND pg_table_is_visible(c.oid)`
  )
  const [{ can_create: canCreate }] = yield* Schema.decodeUnknownEffect(One)(
    yield* sql`SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS can_create`
  )
  const tables = new Map(
    rows.map((row): readonly [string, Table] => [
      row.name,
      {
        canSelect: row.can_select,
        canInsert: row.can_insert,
        canUpdate: row.can_update,
        canDelete: row.can_delete,
        isOwned: row.is_owned,
        isZoneless: row.is_zoneless
      }
    ])
  )
  // A table that may not be read is told as such, and must not keep the rest from being told.
  const isReadable = (name: string) => tables.get(name)?.canSelect === true
  const isHidden = tables.has("ai_agent_migrations") && !isReadable("ai_agent_migrations")
  return {
    tables,
    canCreate,
    migrations: isHidden ? { applied: [], pending: [], unknown: [] } : yield* pendingMigrations,
    binding: isReadable("ai_agent_network") ? yield* readBinding : undefined,
    usdcCode: isReadable("ai_agent_network") ? yield* readUsdcCode : undefined
  } satisfies Tables
})
