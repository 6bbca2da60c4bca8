import { Schema } from "effect"
import { Address } from "../../../domain/Address.ts"
import type { DecisionRepo, PaidOrder } from "../../DecisionRepo.ts"
import { instantOf } from "../TimeColumns.ts"
import { orOutrun, touchWallet } from "../locks.ts"
import { PayInFields, payInColumns, payInOf } from "../payInRows.ts"
import { type Methods, rowsOf } from "../statements.ts"
import { placeOrder } from "./orders.ts"

const PaidOrders = Schema.Array(
  Schema.Struct({ ...PayInFields, token: Address, quantity: Schema.Number, recipient: Address })
)

const paidOrderOf = (row: (typeof PaidOrders.Type)[number]): PaidOrder => {
  const { token, quantity, recipient } = row
  return { payIn: payInOf(row), token, quantity, recipient }
}

/** Orders that are paid in by their clients. */
export const payInDecisions = {
  placePaidOrder: (on) =>
    on.transact("place a paid order", function* (order, payIn, decision, nowMs) {
      const { sql } = on
      // What was decided from a look before this order is not written: the money that was seen since may be its own.
      yield* touchWallet(on, order.wallet.id)
      yield* placeOrder(on, order, decision, nowMs)
      yield* orOutrun(sql`
        INSERT INTO ai_agent_pay_ins (task_id, payer, nonce, amount, pay_to, valid_after, valid_before, wallet_id, token,
          quantity, recipient, status, created_at, key_id, payment_identifier)
        VALUES (${order.id}::uuid, ${payIn.payer}, ${payIn.nonce}, ${payIn.amount}::bigint, ${payIn.payTo},
          ${payIn.validAfter}::bigint, ${payIn.validBefore}::bigint, ${order.wallet.id}::uuid, ${order.token},
          ${order.quantity}::int, ${order.wallet.userAddress}, 'live', ${instantOf(sql, nowMs)},
          ${decision.keyId ?? null}::uuid, ${order.paymentIdentifier ?? null})
        ON CONFLICT DO NOTHING RETURNING task_id`)
    }),

  findPayIn: ({ read, sql }) =>
    read("find a pay-in", function* ({ payer, nonce }) {
      const rows = yield* rowsOf(PaidOrders)(sql`
        SELECT ${payInColumns(sql)}, p.token, p.quantity, p.recipient FROM ai_agent_pay_ins p
        WHERE p.payer = ${payer} AND p.nonce = ${nonce.toLowerCase()}`)
      return rows.map(paidOrderOf)[0]
    }),

  findPayInCalled: ({ read, sql }) =>
    read("find a pay-in by its identifier", function* ({ keyId, identifier }) {
      const rows = yield* rowsOf(PaidOrders)(sql`
        SELECT ${payInColumns(sql)}, p.token, p.quantity, p.recipient FROM ai_agent_pay_ins p
        WHERE p.payment_identifier = ${identifier} AND coalesce(p.key_id::text, '') = ${keyId ?? ""}`)
      return rows.map(paidOrderOf)[0]
    })
} satisfies Methods<DecisionRepo["Service"]>
