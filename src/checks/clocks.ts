import { Clock, Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { aheadOrBehind, clockDifference } from "../domain/requirements.ts"
import { type Finding, reportOn } from "./Finding.ts"

const chain = reportOn("chain")
const database = reportOn("database")

/**
 * Whether the clocks of database and chain agree: orders get their time from the one, deposits from the other. Each by
 * its difference from this machine's, in milliseconds; nothing where one of them is not known. Pure.
 */
export const clocksFinding = (
  databaseAheadMs: number | undefined,
  chainBehindMs: number | undefined
): ReadonlyArray<Finding> => {
  if (databaseAheadMs === undefined || chainBehindMs === undefined) return []
  const what = "clocks"
  const difference = clockDifference(databaseAheadMs + chainBehindMs)
  if (difference === undefined) {
    return [chain.ok({ what, detail: "those of chain, database and this machine agree" })]
  }
  const detail = `the database's is ${difference} the chain's`
  const remedy =
    "Nothing is lost by it. Have the machine of the database keep time (NTP): timedatectl, chronyc tracking."
  return [chain.warn({ what, detail, remedy })]
}

/** How far the clock of the database may be from ours. Deadlines are the chain's; pauses and holds are by these two. */
const SKEW_WARN_MS = 2_000
const SKEW_FAIL_MS = 30_000

const Now = Schema.Tuple([Schema.Struct({ now_ms: Schema.Number })])

/**
 * How far the database's clock is ahead of ours, in milliseconds. Zero where its time lies between our times of the
 * question and of the answer.
 */
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

export const clockFinding = (ms: number): Finding => {
  const what = "clock"
  const apart = Math.abs(ms)
  if (apart <= SKEW_WARN_MS) return database.ok({ what, detail: "agrees with this machine's" })
  const detail = `the database's is ${aheadOrBehind(ms)} this machine's`
  const remedy = "Have both machines keep time (NTP): timedatectl, chronyc tracking."
  return apart > SKEW_FAIL_MS ? database.fail({ what, detail, remedy }) : database.warn({ what, detail, remedy })
}
