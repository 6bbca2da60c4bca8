import { Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { Runner } from "../domain/Runner.ts"
import { EXECUTOR } from "../ledger/Database.ts"

/** An executor says so often that it is there. */
export const BEAT = "2 seconds"

/** One that was silent for so long is gone: as long as its locks are kept for it. */
const SILENT_SECONDS = 6

/**
 * Who shares the database, for people and for limits that all of them have in common. Who owns a part is not decided by
 * it. Made where executors share, and nowhere else.
 */
export const REGISTRY = "ai_agent_runners"

export const registryColumns = `
  runner text PRIMARY KEY, name text NOT NULL, version text NOT NULL, settings jsonb NOT NULL, parts int[] NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(), beat_at timestamptz NOT NULL DEFAULT clock_timestamp()`

const Runners = Schema.Array(
  Schema.Struct({
    name: Schema.String,
    version: Schema.String,
    settings: Schema.Record(Schema.String, Schema.String),
    parts: Schema.Array(Schema.Int)
  })
)

const Beat = Schema.Tuple([Schema.Struct({ others: Runners, is_one_alone: Schema.Boolean })])

/** What is wrong where an executor is connected that owns every wallet beside those that divide them. */
export const ONE_ALONE =
  "An executor that does not share is connected too (RUNNERS=single, or a version before 2.5.0): it does the work of the others again"

// It writes no heartbeat, and is known by the name of its connections.
const isOneAlone = (sql: SqlClient.SqlClient) =>
  sql`EXISTS (SELECT FROM pg_stat_activity WHERE application_name = ${EXECUTOR} AND datname = current_database())`

/** Whether an executor is connected that owns every wallet. */
export const readOneAlone = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly is: boolean }>`SELECT ${isOneAlone(sql)} AS is`
  return row?.is ?? false
})

// By the database's clock alone: those of the executors may differ by more than the seconds that count here.
const isLive = (sql: SqlClient.SqlClient) =>
  sql`beat_at > clock_timestamp() - make_interval(secs => ${SILENT_SECONDS}::int)`

/** Says that this executor is there, and gives the others that are, and whether one is that owns every wallet. */
export const beat = Effect.fnUntraced(function* (id: string, { name, version, settings, parts }: Runner) {
  const sql = yield* SqlClient.SqlClient
  const raw = yield* sql`
    WITH beat AS (
      INSERT INTO ai_agent_runners AS r (runner, name, version, settings, parts)
      VALUES (${id}, ${name}, ${version}, ${JSON.stringify(settings)}::text::jsonb, ${parts}::int[])
      ON CONFLICT (runner) DO UPDATE SET parts = excluded.parts, beat_at = excluded.beat_at
    ), forgotten AS (
      DELETE FROM ai_agent_runners WHERE beat_at < clock_timestamp() - interval '1 hour'
    )
    SELECT ${isOneAlone(sql)} AS is_one_alone, coalesce(
      jsonb_agg(jsonb_build_object('name', name, 'version', version, 'settings', settings, 'parts', parts)
        ORDER BY started_at, runner), '[]') AS others
    FROM ai_agent_runners WHERE runner <> ${id} AND ${isLive(sql)}`
  const [{ others, is_one_alone: isOneAloneToo }] = yield* Schema.decodeUnknownEffect(Beat)(raw)
  return { others, isOneAlone: isOneAloneToo }
})

/** All executors that are there; none where the table was never made. */
export const readRunners = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const tables = yield* sql`SELECT 1 FROM to_regclass(${REGISTRY}::text) AS name WHERE name IS NOT NULL`
  if (tables.length === 0) return []
  const raw = yield* sql`
    SELECT name, version, settings, parts FROM ai_agent_runners WHERE ${isLive(sql)} ORDER BY started_at, runner`
  return yield* Schema.decodeUnknownEffect(Runners)(raw)
})

/** This executor is not there any more. */
export const depart = Effect.fnUntraced(function* (id: string) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`DELETE FROM ai_agent_runners WHERE runner = ${id}`
})
