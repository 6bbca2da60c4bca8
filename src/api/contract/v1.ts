import { Schema } from "effect"
import { orNull, Instant, Whole } from "../../operator/reports/values.ts"
import { Status } from "../../operator/reports/tasks.ts"

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
