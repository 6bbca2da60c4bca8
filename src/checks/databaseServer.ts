import { Clock, Effect, Option, Redacted, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { SettingsShape } from "../config/Settings.ts"
import { counted } from "../domain/counted.ts"
import { duration } from "../domain/time.ts"
import { hostOf } from "../ops/Banner.ts"
import { CONNECTIONS_MAX, EXECUTOR } from "../ledger/Database.ts"
import { readSoundness } from "../ledger/soundness.ts"
import { type Finding, sayerOf } from "./Finding.ts"

const say = sayerOf("database")

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
  const at = Option.match(settings.databaseUrl, {
    onNone: () => "in this process",
    onSome: (url) => hostOf(Redacted.value(url))
  })
  return [
    say.ok({ what: "connects", detail: `PostgreSQL ${version} at ${at} (${ms} ms)` }),
    encryption(settings, tls),
    ...(read_only ? [readOnly] : []),
    ...(yield* readSoundness).map(say.fail)
  ]
})

const readOnly: Finding = say.fail({
  what: "read only",
  detail: "it takes no changes: this is a replica, or it was set so",
  remedy: "Set DATABASE_URL to the primary server, or see default_transaction_read_only of its user."
})

const encryption = ({ databaseUrl }: SettingsShape, tls: string | null): Finding => {
  const what = "encryption"
  if (tls !== null) return say.ok({ what, detail: tls })
  const host = Option.match(databaseUrl, {
    onNone: () => "localhost",
    onSome: (url) => URL.parse(Redacted.value(url))?.hostname ?? ""
  })
  if (/^(localhost|127\.[0-9.]+|\[::1\]|)$/.test(host)) return say.ok({ what, detail: "none, on this machine" })
  const remedy = "Add ?sslmode=require to DATABASE_URL, unless nobody else is on that network."
  return say.warn({ what, detail: "none: orders and encrypted keys travel in the clear", remedy })
}

/** How far the clock of the database may be from ours. Deadlines are the chain's; pauses and holds are by these two. */
const SKEW_WARN_MS = 2_000
const SKEW_FAIL_MS = 30_000

const Now = Schema.Tuple([Schema.Struct({ now_ms: Schema.Number })])

/** How far the database's clock is ahead of ours, in milliseconds: compared with ours at the question and at the answer: in between is no difference. */
export const aheadOfOurs = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const ask = sql`SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms`
  // The first question may have to wait for a connection; the second has it.
  yield* ask
  const startMs = yield* Clock.currentTimeMillis
  const [{ now_ms }] = yield* Schema.decodeUnknownEffect(Now)(yield* ask)
  const endMs = yield* Clock.currentTimeMillis
  return now_ms > endMs ? now_ms - endMs : Math.min(0, now_ms - startMs)
})

export const skew = (ms: number): Finding => {
  const what = "clock"
  const apart = Math.abs(ms)
  if (apart <= SKEW_WARN_MS) return say.ok({ what, detail: "agrees with this machine's" })
  const detail = `the database's is ${duration(apart)} ${ms > 0 ? "ahead of" : "behind"} this machine's`
  const remedy = "Have both machines keep time (NTP): timedatectl, chronyc tracking."
  return apart > SKEW_FAIL_MS ? say.fail({ what, detail, remedy }) : say.warn({ what, detail, remedy })
}

const Sessions = Schema.Tuple([Schema.Struct({ connections: Schema.Int, machines: Schema.Int })])

/**
 * Executors that are connected, as far as the server can tell: one is at most `CONNECTIONS_MAX` connections from one
 * machine. Two on the same machine look like one.
 */
export const sessions = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [{ connections, machines }] = yield* Schema.decodeUnknownEffect(Sessions)(
    yield* sql`
    SELECT count(*)::int AS connections, count(DISTINCT coalesce(host(client_addr), ''))::int AS machines
    FROM pg_stat_activity WHERE application_name = ${EXECUTOR} AND datname = current_database()`
  )
  const what = "executors"
  const executors = Math.max(machines, Math.ceil(connections / CONNECTIONS_MAX))
  if (executors === 0) return [say.ok({ what, detail: "none is connected" })]
  if (executors === 1) return [say.ok({ what, detail: `one is connected (${counted(connections, "connection")})` })]
  const detail = `${executors} or more are connected (${connections} connections from ${counted(machines, "machine")})`
  const remedy = "Two are safe and share the work. If you meant one: pm2 list on each machine, and stop the other."
  return [say.warn({ what, detail, remedy })]
})
