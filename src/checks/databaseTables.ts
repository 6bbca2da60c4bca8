import { Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { readBinding } from "../ledger/NetworkBinding.ts"
import type { BoundChain } from "../domain/requirements.ts"
import { type MigrationState, pendingMigrations } from "../ledger/migrate.ts"
import { type Finding, reportOn } from "./Finding.ts"

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

/** What the database has, read before its contents are checked. */
export interface Tables {
  /** By name. */
  readonly tables: ReadonlyMap<string, Table>
  readonly canCreate: boolean
  readonly migrations: MigrationState
  /** The chain that it belongs to; undefined before its first use. */
  readonly binding: BoundChain | undefined
  /** The code that the ledger has noted of USDC. */
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
  // A table without the right to read it is a finding of its own, and must not hide the others.
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

const report = reportOn("database")

/** Which program made the tables, which migrations they have, and whether they may be written. Pure. */
export const shapeFindings = (found: Tables): ReadonlyArray<Finding> => [
  origin(found),
  migrations(found),
  ...privileges(found)
]

const origin = ({ tables }: Tables): Finding => {
  const tasks = tables.get("ai_agent_tasks")
  if (tasks === undefined) return report.ok({ what: "tables", detail: "none yet: this is a new database" })
  const maker = tasks.isZoneless ? "made by v1.1" : "made by this program"
  return report.ok({ what: "tables", detail: `ai_agent_tasks is there, ${maker}` })
}

const migrations = ({ migrations: { applied, pending, unknown } }: Tables): Finding => {
  const what = "migrations"
  if (unknown.length > 0) {
    const detail = `a newer program has been at this database: ${unknown.join(", ")}`
    return report.fail({
      what,
      detail,
      remedy: "Install the newer version again, and run no older one on this database."
    })
  }
  if (pending.length > 0) {
    const detail = `${pending.length} to do: ${pending.join(", ")}`
    return report.warn({
      what,
      detail,
      remedy: "ai-mint migrate does them, and so does the next start of the executor."
    })
  }
  return report.ok({ what, detail: `up to date (${applied.at(-1) ?? "none"})` })
}

type Right = "canSelect" | "canInsert" | "canUpdate" | "canDelete"

const READ = ["canSelect"] as const
const ADD = ["canSelect", "canInsert"] as const
const CHANGE = ["canSelect", "canInsert", "canUpdate"] as const

/** What the statements in `ledger/sql` do with each table. Triggers write events with the rights of the owner. */
export const NEEDED: Readonly<Record<string, ReadonlyArray<Right>>> = {
  ai_agent_wallets: ADD,
  ai_agent_tasks: CHANGE,
  ai_agent_mint_records: ["canSelect", "canInsert", "canDelete"],
  // A start reads it; only `ai-mint migrate` writes it.
  ai_agent_migrations: READ,
  ai_agent_network: CHANGE,
  ai_agent_wallet_state: CHANGE,
  ai_agent_task_state: CHANGE,
  ai_agent_batches: CHANGE,
  ai_agent_batch_mints: ["canSelect", "canInsert", "canDelete"],
  ai_agent_stray_mints: ADD,
  ai_agent_deposits: CHANGE,
  ai_agent_deposit_uses: ADD,
  ai_agent_refunds: CHANGE,
  ai_agent_pay_ins: CHANGE,
  ai_agent_decisions: ADD,
  ai_agent_events: READ,
  ai_agent_pauses: ["canSelect", "canInsert", "canDelete"],
  // Triggers write it, with the rights of its owner.
  ai_agent_journal: READ,
  ai_agent_keys: CHANGE,
  ai_agent_quotes: ["canSelect", "canInsert", "canUpdate", "canDelete"],
  ai_agent_limits: ["canSelect", "canInsert", "canUpdate", "canDelete"],
  ai_agent_anchors: ["canSelect", "canInsert", "canUpdate", "canDelete"],
  ai_agent_reorganisations: ADD,
  ai_agent_wallet_pins: CHANGE,
  ai_agent_webhooks: CHANGE,
  // Triggers fill it, with the rights of its owner; rows are locked before they are taken.
  ai_agent_webhook_outbox: ["canSelect", "canUpdate", "canDelete"],
  ai_agent_webhook_deliveries: ["canSelect", "canInsert", "canUpdate", "canDelete"],
  ai_agent_attention: ["canSelect", "canInsert", "canDelete"]
}

const SQL_NAMES: Record<Right, string> = {
  canSelect: "SELECT",
  canInsert: "INSERT",
  canUpdate: "UPDATE",
  canDelete: "DELETE"
}

const privileges = (found: Tables): ReadonlyArray<Finding> => {
  const what = "privileges"
  const missing = [...found.tables].flatMap(([name, table]) => {
    const rights = (NEEDED[name] ?? []).filter((right) => !table[right]).map((right) => SQL_NAMES[right])
    return rights.length === 0 ? [] : [`${rights.join(", ")} on ${name}`]
  })
  const toMigrate = found.migrations.pending.length === 0 ? [] : neededToMigrate(found)
  if (missing.length + toMigrate.length === 0)
    return [report.ok({ what, detail: "its user may do what is to be done" })]
  return [
    ...(missing.length === 0
      ? []
      : [
          report.fail({
            what,
            detail: `not granted: ${missing.join("; ")}`,
            remedy: "As the owner of the tables: GRANT these to the user of DATABASE_URL."
          })
        ]),
    ...(toMigrate.length === 0
      ? []
      : [
          report.fail({
            what: "may migrate",
            detail: `not allowed: ${toMigrate.join("; ")}`,
            remedy: "Run ai-mint migrate once with the DATABASE_URL of the owner of the tables."
          })
        ])
  ]
}

/** Migrations that make an index or a trigger on a table of v1.1. All alter tables of ours. */
const ALTERED: Readonly<Record<string, ReadonlyArray<string>>> = {
  ai_agent_tasks: ["0002_", "0004_"],
  ai_agent_wallets: ["0004_"]
}

const neededToMigrate = ({ tables, canCreate, migrations: { pending } }: Tables): ReadonlyArray<string> => {
  const isAltered = (table: string) =>
    OURS.has(table) || pending.some((name) => ALTERED[table]?.some((start) => name.startsWith(start)))
  const toOwn = [...tables].filter(([name, { isOwned }]) => !isOwned && isAltered(name))
  return [
    ...(canCreate ? [] : ["CREATE on the schema"]),
    ...(toOwn.length === 0 ? [] : [`to own ${toOwn.map(([name]) => name).join(", ")}`])
  ]
}

const OURS = new Set(
  Object.keys(NEEDED).filter((name) => !["ai_agent_wallets", "ai_agent_tasks", "ai_agent_mint_records"].includes(name))
)
