import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { readinessWhere, Version } from "../../operator/reports/status.ts"
import { Instant, orNull } from "../../operator/reports/values.ts"

/** Whether the loops go round. */
const healthWhere = <const A extends boolean>(alive: A) =>
  Schema.Struct({
    alive: Schema.Literal(alive),
    loops: Schema.Array(
      Schema.Struct({
        name: Schema.String,
        alive: Schema.Boolean,
        intervalMs: Schema.Number,
        /** When it last began or ended a round. */
        lastProgress: orNull(Instant),
        /** How the last round ended: `done`, `failed`, `defect`; why, where it did not go well. */
        outcome: orNull(Schema.String),
        problem: orNull(Schema.String)
      })
    )
  })
/** 200 or 503. */
export const Alive = healthWhere(true)
export const Dead = healthWhere(false).pipe(HttpApiSchema.status(503))
export type Health = typeof Alive.Type | typeof Dead.Type

/** 200 or 503. */
export const Ready = readinessWhere(Schema.Literal(true))
export const Unready = readinessWhere(Schema.Literal(false)).pipe(HttpApiSchema.status(503))

/** What needs no token: whether it lives, whether it is ready, and which version it is. */
export const system = HttpApiGroup.make("system", { topLevel: true }).add(
  HttpApiEndpoint.get("healthz", "/healthz", {
    success: [Alive, Dead]
  }),
  HttpApiEndpoint.get("readyz", "/readyz", {
    success: [Ready, Unready]
  }),
  HttpApiEndpoint.get("version", "/version", { success: Version })
)
