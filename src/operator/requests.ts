import { DateTime, Option, Schema } from "effect"
import { QUANTITY_MAX, STATUSES } from "../domain/Task.ts"
import { isLifetime } from "../domain/Key.ts"
import { SCOPES } from "../domain/Scope.ts"
import { DELIVERY_STATES } from "../domain/webhooks.ts"
import { Amount, Name, Why } from "./reports/values.ts"

export const PAGE_MAX = 200

/** In any case. */
const AnyAddress = Schema.String.check(Schema.isPattern(/^0x[0-9a-fA-F]{40}$/))

/** In any case. */
const AnyTransaction = Schema.String.check(Schema.isPattern(/^0x[0-9a-fA-F]{64}$/))

/** Before 1970 there were no orders, and PostgreSQL's years end far behind this one. */
const isMoment = (text: string): boolean =>
  DateTime.make(text).pipe(
    Option.exists((time) => DateTime.toEpochMillis(time) >= 0 && DateTime.getPartUtc(time, "year") <= 9999)
  )

/** A moment as a person or a program writes it. A date alone is its first moment, in UTC. */
export const Moment = Schema.String.check(
  Schema.makeFilter((text) => isMoment(text) || "expected a time like 2026-11-28 or 2026-11-28T12:00:00Z")
)

const Mints = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 }))

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
  user: Schema.optionalKey(AnyAddress),
  token: Schema.optionalKey(AnyAddress),
  /** The agent wallet: its id, its user's address, or its own. */
  wallet: Schema.optionalKey(Name),
  /**
   * A transaction of the order: a deposit that paid for it, a payment, or a mint. A refund, and a deposit that has paid for
   * nothing yet, name all orders of their wallet.
   */
  tx: Schema.optionalKey(AnyTransaction),
  /** Placed at this moment or later. */
  from: Schema.optionalKey(Moment),
  /** Placed before this moment. */
  to: Schema.optionalKey(Moment),
  held: Schema.optionalKey(Schema.Literals(["true", "false"])),
  limit: Schema.optionalKey(
    Schema.NumberFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: PAGE_MAX }))
  ),
  /** `next` of the page before. */
  cursor: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(80)))
})
export type TaskQuery = typeof TaskQuery.Type

/** A day, or a moment in UTC. */
const Bound = Moment.check(
  Schema.isPattern(
    /^(19[7-9]\d|[2-9]\d{3})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,3})?Z)?$/
  )
)

/** A period of the journal: from the first moment to before the last. */
export const JournalQuery = Schema.Struct({ from: Bound, to: Bound })
export type JournalQuery = typeof JournalQuery.Type

export const NewTask = Schema.Struct({
  /** A UUID of the caller's own: the same request twice makes one order. */
  id: Schema.optionalKey(Schema.String.check(Schema.isUUID())),
  /** The person. They must have an agent wallet. */
  userAddress: AnyAddress,
  tokenAddress: AnyAddress,
  quantity: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: QUANTITY_MAX })),
  /** Default: what the mint server asks now. */
  pricePerMint: Schema.optionalKey(Amount),
  /** The price of this quote, which is good for one order of the key that asked for it. */
  quoteId: Schema.optionalKey(Schema.String.check(Schema.isUUID()))
})
export type NewTask = typeof NewTask.Type

/** An order that is paid by x402 in the same exchange. */
export const NewPaidOrder = Schema.Struct({
  /** The person who gets the tokens; the payer may be another account. They must have an agent wallet. */
  user: AnyAddress,
  token: AnyAddress,
  quantity: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: QUANTITY_MAX }))
})
export type NewPaidOrder = typeof NewPaidOrder.Type

export const NewWallet = Schema.Struct({
  /** The person, by their own address. */
  user: AnyAddress
})
export type NewWallet = typeof NewWallet.Type

export const NewQuote = Schema.Struct({
  /** The person, who must have an agent wallet. */
  user: AnyAddress,
  token: AnyAddress,
  quantity: NewTask.fields.quantity
})
export type NewQuote = typeof NewQuote.Type

/** What a person decides about a task. */
export const WhyBody = Schema.Struct({ why: Why })
export type WhyBody = typeof WhyBody.Type
export const AdoptBody = Schema.Struct({
  why: Why,
  mints: Schema.optionalKey(Mints)
})
export type AdoptBody = typeof AdoptBody.Type
export const ResolveBody = Schema.Struct({
  why: Why,
  /**
   * - `delivered`: the person has the mints.
   * - `replaced`: the mints are bought again under a new nonce, as the old one is proven dead.
   * - `again`: it was never paid, and the mints on chain that it was held for are not of this order: they are set aside,
   *   and the batch is paid for as it was ordered.
   * - `failed`: nothing more is minted; the task fails, and the rest of its money is free.
   */
  as: Schema.Literals(["delivered", "replaced", "again", "failed"]),
  /** Its number; may be left out where only one is to be decided. */
  batch: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 }))),
  /** Only with `delivered`: how many mints of the batch the person has, where the chain cannot show it. */
  mints: Schema.optionalKey(Mints)
})
export type ResolveBody = typeof ResolveBody.Type
export const RefundBody = Schema.Struct({
  /** Default: all that is free. With `confirm` it must be there. */
  amount: Schema.optionalKey(Amount),
  /** With `confirm` it must be there, and be the wallet's user: who confirms has read who gets it. */
  to: Schema.optionalKey(Name),
  /** Without it nothing is done: the report says what would be. */
  confirm: Schema.optionalKey(Schema.Boolean),
  why: Schema.optionalKey(Why)
})
export type RefundBody = typeof RefundBody.Type

export const WithdrawBody = Schema.Struct({
  /** The id of the refund, or the first eight digits of it. */
  refund: Name,
  why: Why
})
export type WithdrawBody = typeof WithdrawBody.Type

/** None of them: all payments. */
export const LimitTarget = Schema.Struct({
  why: Why,
  token: Schema.optionalKey(AnyAddress),
  user: Schema.optionalKey(AnyAddress),
  /** The key that placed the orders: its name or its id. */
  key: Schema.optionalKey(Name)
})
export type LimitTarget = typeof LimitTarget.Type

/** The most that a column of the database holds is more USDC than there is. */
const PER_DAY_MAX = 1_000_000_000_000_000_000n

export const LimitBody = Schema.Struct({
  ...LimitTarget.fields,
  /** The most that may be signed for in any 24 hours. */
  perDay: Amount.check(Schema.isLessThanOrEqualToBigInt(PER_DAY_MAX))
})
export type LimitBody = typeof LimitBody.Type

/** Neither token nor wallet: everything. */
export const PauseBody = Schema.Struct({
  why: Why,
  token: Schema.optionalKey(AnyAddress),
  wallet: Schema.optionalKey(Name)
})
export type PauseBody = typeof PauseBody.Type

export const NewKey = Schema.Struct({
  /** What people call it. */
  name: Schema.String.check(
    Schema.isPattern(/^[A-Za-z0-9._-]{1,40}$/, { message: "expected 1 to 40 letters, digits, dots, - or _" })
  ),
  scopes: Schema.NonEmptyArray(Schema.Literals(SCOPES)),
  /** It sees and orders for this person only. */
  user: Schema.optionalKey(AnyAddress),
  /** For how long it opens anything: `90d`, `12h`, `30m`. Left out: until it is revoked. */
  expires: Schema.optionalKey(
    Schema.String.check(Schema.makeFilter((text) => isLifetime(text) || "expected a time such as 90d, 12h or 30m"))
  )
})
export type NewKey = typeof NewKey.Type

/** A decision that needs no reason. */
export const MaybeWhyBody = Schema.Struct({ why: Schema.optionalKey(Why) })
export type MaybeWhyBody = typeof MaybeWhyBody.Type

/** A webhook: its URL, and the events that are sent to it. */
export const NewWebhook = Schema.Struct({
  url: Schema.String.check(Schema.isMaxLength(2_000)),
  events: Schema.Array(Name).check(Schema.isMinLength(1), Schema.isMaxLength(50))
})
export type NewWebhook = typeof NewWebhook.Type

export const DeliveryQuery = Schema.Struct({
  /** The id of a webhook, or the first eight digits of it. Default: all. */
  webhook: Schema.optionalKey(Name),
  state: Schema.optionalKey(Schema.Literals(DELIVERY_STATES))
})
export type DeliveryQuery = typeof DeliveryQuery.Type
