import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiMiddleware, HttpApiSchema } from "effect/http-api"
import { parse, ZERO } from "../domain/Address.ts"
import { QUANTITY_MAX, TaskId } from "../domain/Task.ts"
import { faultOf } from "./faults.ts"

/**
 * How the person pays. `now`: all, at once. `half`: half of it at once, rounded down to base units. `late`: all, when
 * the order should be cancelled by then, so that it stays as the wallet's credit. `never`: nothing.
 */
export const PayMode = Schema.Literals(["now", "late", "half", "never"]).annotate({
  message: "expected now, late, half or never"
})
export type PayMode = typeof PayMode.Type

/** Whether tokens can be minted to this text: the address of an account, in any case. */
export const isRecipient = (text: string): boolean => ![undefined, ZERO].includes(parse(text))

/** What an order may hold, in words. */
export const orderLimits = {
  quantity: `a whole number from 1 to ${QUANTITY_MAX}`,
  user: "the address of an account: 0x and 40 hex digits, not all 0"
}

/** Mints in one order. */
export const Quantity = Schema.Int.annotate({ message: `expected ${orderLimits.quantity}` }).check(
  Schema.isBetween({ minimum: 1, maximum: QUANTITY_MAX }, { message: `expected ${orderLimits.quantity}` })
)

const NewOrder = Schema.Struct({
  quantity: Quantity,
  pay: PayMode,
  user: Schema.optionalKey(
    Schema.String.check(Schema.makeFilter((text) => isRecipient(text) || `expected ${orderLimits.user}`))
  )
})

/** Base units (6 decimals), and the same for people. */
const Amount = Schema.Struct({ baseUnits: Schema.BigInt, usdc: Schema.String })

/** The person's payment for an order: what, and when it was or will be sent. */
const PersonPayment = Schema.Struct({
  mode: PayMode,
  amount: Amount,
  state: Schema.Literals(["none", "scheduled", "sent", "failed"]),
  /** When it was sent or, where it is scheduled, will be. Null where nothing is ever sent. */
  at: Schema.NullOr(Schema.Date),
  /** Why it failed. */
  problem: Schema.NullOr(Schema.String)
})
export type PersonPayment = typeof PersonPayment.Type

export const OrderPlaced = Schema.Struct({
  taskId: Schema.String,
  walletId: Schema.String,
  userAddress: Schema.String,
  agentAddress: Schema.String,
  token: Schema.String,
  quantity: Schema.Int,
  pricePerMint: Amount,
  cost: Amount,
  createdAt: Schema.Date,
  /** Paid in full by then, on chain, or cancelled. */
  deadline: Schema.Date,
  payment: PersonPayment
})
export type OrderPlaced = typeof OrderPlaced.Type

const Time = Schema.NullOr(Schema.Date)

/** A row of `ai_agent_tasks` under its own column names, as an operator sees it in SQL, and the wallet's address. */
export const Order = Schema.Struct({
  id: TaskId,
  user_address: Schema.String,
  agent_wallet_id: Schema.String,
  /** Null where the task names a wallet that does not exist. */
  agent_address: Schema.NullOr(Schema.String),
  token_address: Schema.String,
  quantity: Schema.Int,
  price_per_mint: Schema.BigInt,
  total_cost: Schema.BigInt,
  status: Schema.String,
  mints_completed: Schema.Int,
  mints_failed: Schema.Int,
  retry_count: Schema.Int,
  funding_tx_hash: Schema.NullOr(Schema.String),
  funding_received_at: Time,
  started_at: Time,
  completed_at: Time,
  error_message: Schema.NullOr(Schema.String),
  created_at: Schema.Date,
  updated_at: Schema.Date
})
export type Order = typeof Order.Type

/** A row of `ai_agent_mint_records`: one mint of an order. */
export const MintRecord = Schema.Struct({
  mint_number: Schema.Int,
  status: Schema.String,
  tx_hash: Schema.NullOr(Schema.String),
  error_message: Schema.NullOr(Schema.String),
  created_at: Schema.Date,
  completed_at: Time
})
export type MintRecord = typeof MintRecord.Type

/** Newest first. */
const OrderList = Schema.Struct({ orders: Schema.Array(Order) })

const OrderDetails = Schema.Struct({
  order: Order,
  mints: Schema.Array(MintRecord),
  /** Null for an order of an earlier run: payments are not remembered across a restart, and late ones not made. */
  payment: Schema.NullOr(PersonPayment)
})

/** An amount of USDC as people write it: `2.5`. */
export const AMOUNT = /^(\d{1,12})(?:\.(\d{1,6}))?$/

/** Without an amount: all that the order costs. */
const NewPayment = Schema.Struct({
  amount: Schema.optionalKey(
    Schema.String.check(
      Schema.isPattern(AMOUNT, { message: "expected an amount of USDC like 2.5, with at most six decimals" })
    )
  )
})

/** What was paid to which wallet. */
const OrderPaid = Schema.Struct({ taskId: Schema.String, agentAddress: Schema.String, amount: Amount })

/** All that is to be on: a list of faults. Which kinds there are depends on the sandbox, which so reads them itself. */
const NewFaults = Schema.Struct({ faults: Schema.Unknown })

const FaultsState = Schema.Struct({
  faults: Schema.Array(Schema.Struct({ ...faultOf([]).fields, kind: Schema.String })),
  /** How often since the start, by kind. */
  injected: Schema.Record(Schema.String, Schema.Int),
  /** What can be switched on here, and what it does. */
  kinds: Schema.Record(Schema.String, Schema.String)
})
export type FaultsState = typeof FaultsState.Type

const refusalSchema = {
  error: Schema.String,
  /** What is wrong with the request: `quantity: expected …`. */
  problems: Schema.optionalKey(Schema.Array(Schema.String))
}

/** The request is not what the route takes. */
export class BadRequest extends Schema.Class<BadRequest>("BadRequest")(refusalSchema, { httpApiStatus: 400 }) {
  readonly _tag = "Refused"
}

/** It comes from a page in a browser. */
export class Forbidden extends Schema.Class<Forbidden>("Forbidden")(refusalSchema, { httpApiStatus: 403 }) {
  readonly _tag = "Refused"
}

/** There is no such order. */
export class NotFound extends Schema.Class<NotFound>("NotFound")(refusalSchema, { httpApiStatus: 404 }) {
  readonly _tag = "Refused"
}

/** The USDC was not sent, as far as the sender knows. */
export class NotPaid extends Schema.Class<NotPaid>("NotPaid")(refusalSchema, { httpApiStatus: 502 }) {
  readonly _tag = "Refused"
}

/** The database refused or did not answer. */
export class NoDatabase extends Schema.Class<NoDatabase>("NoDatabase")(refusalSchema, { httpApiStatus: 503 }) {
  readonly _tag = "Refused"
}

/** Lets in no page of a browser: any page could else play the person who pays, or break things. */
export class ProgramsOnly extends HttpApiMiddleware.Service<ProgramsOnly>()("ai-mint-executor/sandbox/ProgramsOnly", {
  error: [BadRequest, Forbidden]
}) {}

/** Every way in which the desk fails. */
const failures = [NotFound, NotPaid, NoDatabase]

/** The person who orders and pays. They hand out money that is not worth anything. */
const orders = HttpApiGroup.make("orders")
  .add(
    HttpApiEndpoint.get("list", "/", { success: OrderList, error: failures }),
    HttpApiEndpoint.post("place", "/", {
      payload: NewOrder,
      success: OrderPlaced.pipe(HttpApiSchema.status(201)),
      error: failures
    }),
    HttpApiEndpoint.get("show", "/:order", {
      params: { order: Schema.String },
      success: OrderDetails,
      error: failures
    }),
    /** By the order's id or, where it is among the latest, the first eight digits of it. In any status. */
    HttpApiEndpoint.post("pay", "/:order/pay", {
      params: { order: Schema.String },
      payload: NewPayment,
      success: OrderPaid,
      error: failures
    })
  )
  .prefix("/sandbox/orders")

/** What goes wrong with mint server and node. `set`: this and nothing else. `clear`: nothing any more. */
const faults = HttpApiGroup.make("faults")
  .add(
    HttpApiEndpoint.get("show", "/", { success: FaultsState }),
    HttpApiEndpoint.put("set", "/", { payload: NewFaults, success: FaultsState, error: BadRequest }),
    HttpApiEndpoint.delete("clear", "/", { success: FaultsState })
  )
  .prefix("/sandbox/faults")

/** The HTTP of the sandbox, on the port of its mint server: server and client are made from it. */
export class SandboxApi extends HttpApi.make("ai-mint-sandbox")
  .add(orders)
  .add(faults)
  .middleware(ProgramsOnly)
  .annotate(HttpApi.PayloadParseOptions, { errors: "all", onExcessProperty: "error" }) {}
