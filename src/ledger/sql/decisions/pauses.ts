import { Schema } from "effect"
import { type DecisionRepo, type Pause, type PauseScope } from "../../DecisionRepo.ts"
import { instantOf } from "../TimeColumns.ts"
import { changePauses, orOutrun } from "../locks.ts"
import { noteDecision } from "../notes.ts"
import { type Methods, rowsOf } from "../statements.ts"

const Rows = Schema.Array(Schema.Struct({ scope: Schema.String, reason: Schema.String, since_ms: Schema.Number }))

export const pauseDecisions = {
  pauses: ({ once, sql }) =>
    once("read the pauses", function* () {
      const rows = yield* rowsOf(Rows)(sql`
        SELECT scope, reason, (extract(epoch FROM since) * 1000)::float8 AS since_ms
        FROM ai_agent_pauses ORDER BY since, scope`)
      return rows.map((row): Pause => ({ scope: row.scope as PauseScope, reason: row.reason, sinceMs: row.since_ms }))
    })(),

  pause: (on) =>
    on.transact("pause", function* ({ scope, reason, sinceMs }, decision) {
      yield* changePauses(on.sql)
      yield* orOutrun(on.sql`
        INSERT INTO ai_agent_pauses (scope, reason, since) VALUES (${scope}, ${reason}, ${instantOf(on.sql, sinceMs)})
        ON CONFLICT DO NOTHING RETURNING scope`)
      yield* noteDecision(on, decision, {}, sinceMs)
    }),

  resume: (on) =>
    on.transact("resume", function* (scope, decision, nowMs) {
      yield* orOutrun(on.sql`DELETE FROM ai_agent_pauses WHERE scope = ${scope} RETURNING scope`)
      yield* noteDecision(on, decision, {}, nowMs)
    })
} satisfies Methods<DecisionRepo["Service"]>
