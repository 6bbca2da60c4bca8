import { Clock, Effect, Redacted, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { isLoopback, type SettingsShape } from "../config/Settings.ts"
import { counted } from "../domain/text.ts"
import { READ_ONLY } from "../domain/requirements.ts"
import { CONNECTIONS_MAX, EXECUTOR, SHARING } from "../ledger/Database.ts"
import { readSoundness } from "../ledger/soundness.ts"
import { hostOf } from "../ops/redact.ts"
import { type Finding, reportOn } from "./Finding.ts"

const report = reportOn("database")

const Server = Schema.Tuple([
  Schema.Struct({
    version: Schema.String,
    read_only: Schema.Boolean,
    /** `TLSv1.3`; null where nothing is encrypted. */
    tls: Schema.NullOr(Schema.String)
  })
])

/** Whether the server is there, encrypts, and takes changes. */
export const server = Effect.fnUntraced(function* (settings: SettingsShape) {
  const sql = yield* SqlClient.SqlClient
  const startMs = yield* Clock.currentTimeMillis
  const [{ version, read_only, tls }] = yield* Schema.decodeUnknownEffect(Server)(
    yield* sql`
    SELECT current_setting('server_version') AS version, current_setting('transaction_read_only') = 'on' AS read_only,
      (SELECT s.version FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid() AND s.ssl) AS tls`
  )
  const ms = (yield* Clock.currentTimeMillis) - startMs
  const url = settings.databaseUrl
  const at = url === undefined ? "in this process" : hostOf(Redacted.value(url))
  return [
    report.ok({ what: "connects", detail: `PostgreSQL ${version} at ${at} (${ms} ms)` }),
    encryption(settings, tls),
    ...(read_only ? [report.fail(READ_ONLY)] : []),
    ...(yield* readSoundness).map(report.fail)
  ]
})

const encryption = ({ databaseUrl }: SettingsShape, tls: string | null): Finding => {
  const what = "encryption"
  if (tls !== null) return report.ok({ what, detail: tls })
  const host = databaseUrl === undefined ? "" : (URL.parse(Redacted.value(databaseUrl))?.hostname ?? "")
  if (host === "" || isLoopback(host)) return report.ok({ what, detail: "none, on this machine" })
  const remedy = "Add ?sslmode=require to DATABASE_URL, unless no other machine is on that network."
  return report.warn({ what, detail: "none: orders and encrypted keys travel in the clear", remedy })
}

const Sessions = Schema.Tuple([Schema.Struct({ connections: Schema.Int, machines: Schema.Int })])

/**
 * Executors that are connected, as far as the server can tell: one is at most `CONNECTIONS_MAX` connections from one
 * machine. Two on the same machine count as one.
 */
export const sessions = Effect.fnUntraced(function* ({ runners }: Pick<SettingsShape, "runners">) {
  const sql = yield* SqlClient.SqlClient
  const [{ connections, machines }] = yield* Schema.decodeUnknownEffect(Sessions)(
    yield* sql`
    SELECT count(*)::int AS connections, count(DISTINCT coalesce(host(client_addr), ''))::int AS machines
    FROM pg_stat_activity WHERE application_name IN (${EXECUTOR}, ${SHARING}) AND datname = current_database()`
  )
  const what = "executors"
  const executors = Math.max(machines, Math.ceil(connections / CONNECTIONS_MAX))
  if (executors === 0) return [report.ok({ what, detail: "none is connected" })]
  const found = `${counted(connections, "connection")} from ${counted(machines, "machine")}`
  // How many they are, and which, is below under `runners`: they say so themselves.
  if (runners === "cluster") return [report.ok({ what, detail: `they have ${found}` })]
  if (executors === 1) return [report.ok({ what, detail: `one is connected (${counted(connections, "connection")})` })]
  const detail = `${executors} or more are connected (${found})`
  const remedy = "Two are safe and share the work. If you meant one: pm2 list on each machine, and stop the other."
  return [report.warn({ what, detail, remedy })]
})
