import type { Tables } from "./databaseTables.ts"
import { type Finding, sayerOf } from "./Finding.ts"

const say = sayerOf("database")

/** Whose tables they are, how far they are, and whether they may be written. Pure. */
export const shapeFindings = (found: Tables): ReadonlyArray<Finding> => [
  origin(found),
  migrations(found),
  ...privileges(found)
]

const origin = ({ tables }: Tables): Finding => {
  const tasks = tables.get("ai_agent_tasks")
  if (tasks === undefined) return say.ok({ what: "tables", detail: "none yet: this is a new database" })
  const maker = tasks.isZoneless ? "made by v1.1" : "made by this program"
  return say.ok({ what: "tables", detail: `ai_agent_tasks is there, ${maker}` })
}

const migrations = ({ migrations: { applied, pending, unknown } }: Tables): Finding => {
  const what = "migrations"
  if (unknown.length > 0) {
    const detail = `a newer program has been at this database: ${unknown.join(", ")}`
    return say.fail({ what, detail, remedy: "Install the newer version again, and run no older one on this database." })
  }
  if (pending.length > 0) {
    const detail = `${pending.length} to do: ${pending.join(", ")}`
    return say.warn({ what, detail, remedy: "ai-mint migrate does them, and so does the next start of the executor." })
  }
  return say.ok({ what, detail: `up to date (${applied.at(-1) ?? "none"})` })
}

type Right = "canSelect" | "canInsert" | "canUpdate" | "canDelete"

const READ = ["canSelect"] as const
const ADD = ["canSelect", "canInsert"] as const
const CHANGE = ["canSelect", "canInsert", "canUpdate"] as const

/** What the statements in `ledger/sql` do with each table. Events are written with the rights of the owner. */
const NEEDED: Readonly<Record<string, ReadonlyArray<Right>>> = {
  ai_agent_wallets: READ,
  ai_agent_tasks: CHANGE,
  ai_agent_mint_records: ["canInsert"],
  ai_agent_migrations: CHANGE,
  ai_agent_network: CHANGE,
  ai_agent_wallet_state: CHANGE,
  ai_agent_task_state: CHANGE,
  ai_agent_batches: CHANGE,
  ai_agent_batch_mints: ADD,
  ai_agent_stray_mints: ADD,
  ai_agent_deposits: CHANGE,
  ai_agent_deposit_uses: ADD,
  ai_agent_refunds: CHANGE,
  ai_agent_decisions: ADD,
  ai_agent_events: READ,
  ai_agent_pauses: ["canSelect", "canInsert", "canDelete"]
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
  if (missing.length + toMigrate.length === 0) return [say.ok({ what, detail: "its user may do what is to be done" })]
  return [
    ...(missing.length === 0
      ? []
      : [
          say.fail({
            what,
            detail: `not granted: ${missing.join("; ")}`,
            remedy: "As the owner of the tables: GRANT these to the user of DATABASE_URL."
          })
        ]),
    ...(toMigrate.length === 0
      ? []
      : [
          say.fail({
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
