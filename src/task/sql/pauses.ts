import { Effect, Schema } from "effect"
import type { Decision, Pause, PauseScope } from "../DecisionRepo.ts"
import { noteDecision } from "./decide.ts"
import { changePauses } from "./paused.ts"
import type { Statements } from "./statements.ts"
import { instantOf } from "./TimeColumns.ts"
import { orOutrun, transact } from "./transact.ts"

const Rows = Schema.Array(Schema.Struct({ scope: Schema.String, reason: Schema.String, since_ms: Schema.Number }))

export const pauses = Effect.fnUntraced(function* ({ sql }: Statements) {
  const raw = yield* sql`
    SELECT scope, reason, (extract(epoch FROM since) * 1000)::float8 AS since_ms
    FROM ai_agent_pauses ORDER BY since, scope`
  const rows = yield* Schema.decodeUnknownEffect(Rows)(raw)
  return rows.map((row): Pause => ({ scope: row.scope as PauseScope, reason: row.reason, sinceMs: row.since_ms }))
})

export const pause = (on: Statements, { scope, reason, sinceMs }: Pause, decision: Decision) =>
  transact(
    on,
    Effect.gen(function* () {
      yield* changePauses(on.sql)
      yield* orOutrun(on.sql`
        INSERT INTO ai_agent_pauses (scope, reason, since) VALUES (${scope}, ${reason}, ${instantOf(on.sql, sinceMs)})
        ON CONFLICT DO NOTHING RETURNING scope`)
      yield* noteDecision(on, decision, {}, sinceMs)
    })
  )

export const resume = (on: Statements, scope: PauseScope, decision: Decision, nowMs: number) =>
  transact(
    on,
    Effect.gen(function* () {
      yield* orOutrun(on.sql`DELETE FROM ai_agent_pauses WHERE scope = ${scope} RETURNING scope`)
      yield* noteDecision(on, decision, {}, nowMs)
    })
  )
