import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { Status } from "../../operator/reports/tasks.ts"
import { Instant, orNull, Whole } from "../../operator/reports/values.ts"
import { Authorization } from "./Authorization.ts"
import { needs } from "./permissions.ts"
import { Unavailable } from "./problems.ts"

/** A task as v1.1's front end reads it. Money in base units, as text. */
export const TaskV1 = Schema.Struct({
  id: Schema.String,
  userAddress: Schema.String,
  agentWalletId: Schema.String,
  tokenAddress: Schema.String,
  quantity: Schema.Int,
  pricePerMint: Whole,
  totalCost: Whole,
  status: Status,
  mintsCompleted: Schema.Int,
  mintsFailed: Schema.Int,
  fundingTxHash: orNull(Schema.String),
  errorMessage: orNull(Schema.String),
  createdAt: orNull(Instant),
  completedAt: orNull(Instant)
})

export const OneV1 = Schema.Struct({ success: Schema.Literal(true), task: TaskV1 })
export const ListV1 = Schema.Struct({
  success: Schema.Literal(true),
  tasks: Schema.Array(TaskV1),
  total: Schema.Int
})
export const DoneV1 = Schema.Struct({ success: Schema.Literal(true), message: Schema.String })

/** v1.1's own form of an error. */
export class NotFoundV1 extends Schema.Class<NotFoundV1>("NotFoundV1")(
  { error: Schema.String },
  { httpApiStatus: 404 }
) {}

export class BadRequestV1 extends Schema.Class<BadRequestV1>("BadRequestV1")(
  { error: Schema.String, message: Schema.optionalKey(Schema.String) },
  { httpApiStatus: 400 }
) {}

/** What v1.1's front end asks its server, in the shapes that it knows. */
export const v1 = HttpApiGroup.make("v1")
  .add(
    HttpApiEndpoint.get("task", "/task/:id", {
      params: { id: Schema.String },
      success: OneV1,
      error: [NotFoundV1, BadRequestV1, Unavailable]
    }).annotateMerge(needs("orders:read")),
    HttpApiEndpoint.get("tasks", "/tasks/:address", {
      params: { address: Schema.String },
      query: { limit: Schema.optionalKey(Schema.String), offset: Schema.optionalKey(Schema.String) },
      success: ListV1,
      error: [BadRequestV1, Unavailable]
    }).annotateMerge(needs("orders:read")),
    HttpApiEndpoint.post("cancel", "/task/:id/cancel", {
      params: { id: Schema.String },
      success: DoneV1,
      error: [NotFoundV1, BadRequestV1, Unavailable]
    }).annotateMerge(needs("orders:cancel")),
    HttpApiEndpoint.post("retry", "/task/:id/retry", {
      params: { id: Schema.String },
      success: DoneV1,
      error: [NotFoundV1, BadRequestV1, Unavailable]
    }).annotateMerge(needs("operate"))
  )
  .prefix("/api/ai-agent")
  .middleware(Authorization)
