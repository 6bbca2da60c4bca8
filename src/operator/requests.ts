import { Schema } from "effect"
import { QUANTITY_MAX, STATUSES } from "../domain/Task.ts"
import { Amount, Name, Why } from "./reports/values.ts"

export const PAGE_MAX = 200

/** `status` may be several, with commas between them. */
export const TaskQuery = Schema.Struct({
  status: Schema.optionalKey(
    Schema.String.check(
      Schema.makeFilter(
        (text) =>
          text.split(",").every((status) => STATUSES.some((one) => one === status)) ||
          `expected ${STATUSES.join(", ")}, or several of them with commas between them`
      )
    )
  ),
  user: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^0x[0-9a-fA-F]{40}$/))),
  token: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^0x[0-9a-fA-F]{40}$/))),
  /** The agent wallet: its id, its user's address, or its own. */
  wallet: Schema.optionalKey(Name),
  held: Schema.optionalKey(Schema.Literals(["true", "false"])),
  limit: Schema.optionalKey(
    Schema.NumberFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: PAGE_MAX }))
  ),
  /** `next` of the page before. */
  cursor: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(80)))
})

export const NewTask = Schema.Struct({
  /** A UUID of the caller's own: the same request twice makes one order. */
  id: Schema.optionalKey(Schema.String.check(Schema.isUUID())),
  /** The person. They must have an agent wallet. */
  userAddress: Schema.String.check(Schema.isPattern(/^0x[0-9a-fA-F]{40}$/)),
  tokenAddress: Schema.String.check(Schema.isPattern(/^0x[0-9a-fA-F]{40}$/)),
  quantity: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: QUANTITY_MAX })),
  /** Default: what the mint server asks now. */
  pricePerMint: Schema.optionalKey(Amount)
})

/** What a person decides about a task. */
export const WhyBody = Schema.Struct({ why: Why })
export const AdoptBody = Schema.Struct({
  why: Why,
  mints: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 })))
})
export const ResolveBody = Schema.Struct({
  why: Why,
  as: Schema.Literals(["delivered", "replaced", "again", "failed"]),
  batch: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 }))),
  mints: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 })))
})
export const RefundBody = Schema.Struct({
  /** Default: all that is free. With `confirm` it must be there. */
  amount: Schema.optionalKey(Amount),
  /** With `confirm` it must be there, and be the wallet's user: who confirms has read who gets it. */
  to: Schema.optionalKey(Name),
  /** Without it nothing is done: the report says what would be. */
  confirm: Schema.optionalKey(Schema.Boolean),
  why: Schema.optionalKey(Why)
})

export const WithdrawBody = Schema.Struct({
  /** The id of the refund, or the first eight digits of it. */
  refund: Name,
  why: Why
})

/** Neither token nor wallet: everything. */
export const PauseBody = Schema.Struct({
  why: Why,
  token: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^0x[0-9a-fA-F]{40}$/))),
  wallet: Schema.optionalKey(Name)
})
