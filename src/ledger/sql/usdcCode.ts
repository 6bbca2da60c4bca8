import { Effect, Schema } from "effect"
import { CODE_DECISION, codeChanged, type CodeLook } from "../usdcCode.ts"
import { noteDecision } from "./decide.ts"
import type { Statements } from "./statements.ts"
import { instantOf } from "./TimeColumns.ts"

const Rows = Schema.Array(Schema.Struct({ usdc_code: Schema.NullOr(Schema.String), now_ms: Schema.Number }))

export const noteUsdcCode = Effect.fnUntraced(function* (on: Statements, look: CodeLook, nowMs: number) {
  return yield* on.sql.withTransaction(noteLocked(on, look, nowMs))
})

/** The row is locked first: of two executors that see the change one pauses, and a person's answer is not undone. */
const noteLocked = Effect.fnUntraced(function* (on: Statements, { code, isSure }: CodeLook, nowMs: number) {
  const { sql } = on
  const raw = yield* sql`
    SELECT usdc_code, (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms
    FROM ai_agent_network FOR UPDATE`
  const [row] = yield* Schema.decodeUnknownEffect(Rows)(raw)
  const databaseMs = row?.now_ms
  if (row === undefined || row.usdc_code === code) return { before: undefined, databaseMs }
  const before = row.usdc_code
  if (before !== null && !isSure) return { before, databaseMs }
  yield* sql`UPDATE ai_agent_network SET usdc_code = ${code}`
  if (before === null) return { before: undefined, databaseMs }
  const reason = codeChanged(before, code)
  yield* sql`
    INSERT INTO ai_agent_pauses AS p (scope, reason, since) VALUES ('all', ${reason}, ${instantOf(sql, nowMs)})
    ON CONFLICT (scope) DO UPDATE SET reason = p.reason || '; ' || excluded.reason`
  yield* noteDecision(on, { ...CODE_DECISION, why: reason }, {}, nowMs)
  return { before, databaseMs }
})
