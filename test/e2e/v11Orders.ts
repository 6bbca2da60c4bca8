import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { messages } from "../../src/domain/Task.ts"
import { times, usdc, zero } from "../../src/domain/Usdc.ts"
import { encrypt, person } from "../support/orders.ts"
import { PRICE, TOKEN } from "./baseSepolia.ts"

/** What an operator sees of an order. */
export interface Outcome {
  readonly status: string
  readonly minted: number
  readonly retries: number
  readonly error: string | null
  readonly held: boolean
  /** Whether the time of its end is just now, by the wall time of the database; null where it has no end. */
  readonly endedNow: boolean | null
}

/** An order as v1.1 left it, and what becomes of it. */
interface V11Order {
  readonly quantity: number
  readonly status: string
  readonly minted?: number
  readonly retries?: number
  /** How long ago it was placed, and changed last. */
  readonly age: string
  /** In base units, where it is not what the mints cost. */
  readonly total?: bigint
  /** Mints that its wallet holds money for. */
  readonly paidFor?: number
  /** What its wallet has instead of a key that can be opened. */
  readonly key?: string
  readonly outcome: Outcome
}

const untouched = { minted: 0, retries: 0, error: null, held: false, endedNow: null }
const completed = { ...untouched, status: "completed", endedNow: true }

/** At least one for each state. Every order has a person and a wallet of its own. */
export const v11Orders: Readonly<Record<string, V11Order>> = {
  "paid, given up by v1.1": {
    ...{ quantity: 3, status: "pending_payment", retries: 3, age: "2 minutes", paidFor: 3 },
    outcome: { ...completed, minted: 3 }
  },
  "never paid": {
    ...{ quantity: 2, status: "pending_payment", age: "11 minutes" },
    outcome: {
      ...{ ...untouched, status: "cancelled", endedNow: true },
      error: "Payment timeout: No sufficient balance received within 10 minutes"
    }
  },
  "not paid yet": {
    ...{ quantity: 2, status: "pending_payment", age: "1 minute" },
    outcome: { ...untouched, status: "pending_payment" }
  },
  funded: {
    ...{ quantity: 2, status: "funded", age: "3 minutes", paidFor: 2 },
    outcome: { ...completed, minted: 2 }
  },
  "funded, and the money is gone": {
    ...{ quantity: 2, status: "funded", age: "3 minutes" },
    outcome: {
      ...{ ...untouched, status: "funded", held: true },
      error: messages.held(messages.shortOfMoney(times(usdc(PRICE), 2), zero))
    }
  },
  "all minted": {
    ...{ quantity: 4, status: "processing", minted: 4, age: "5 minutes" },
    outcome: { ...completed, minted: 4 }
  },
  "half minted, long ago": {
    ...{ quantity: 5, status: "processing", minted: 2, age: "2 hours", paidFor: 3 },
    outcome: { ...completed, minted: 5 }
  },
  "half minted, just now": {
    ...{ quantity: 2, status: "processing", minted: 1, age: "5 minutes", paidFor: 1 },
    outcome: { ...untouched, status: "processing", minted: 1 }
  },
  "for nothing": {
    ...{ quantity: 0, status: "pending_payment", age: "1 minute" },
    outcome: {
      ...{ ...untouched, status: "pending_payment", held: true },
      error: messages.badOrder(["quantity is 0, it must be 1 to 1000"])
    }
  },
  "of another sum": {
    ...{ quantity: 2, status: "funded", age: "1 minute", total: 1n, paidFor: 2 },
    outcome: {
      ...{ ...untouched, status: "funded", held: true },
      error: messages.badOrder(["total_cost is 0.000001 USDC, price_per_mint × quantity is 2.00 USDC"])
    }
  },
  completed: {
    ...{ quantity: 1, status: "completed", minted: 1, age: "1 day" },
    outcome: { ...untouched, status: "completed", minted: 1 }
  },
  failed: {
    ...{ quantity: 1, status: "failed", retries: 3, age: "1 day" },
    outcome: { ...untouched, status: "failed", retries: 3 }
  },
  cancelled: {
    ...{ quantity: 1, status: "cancelled", age: "1 day" },
    outcome: { ...untouched, status: "cancelled" }
  }
}

/** A key that opens with another `AGENT_ENCRYPTION_KEY` than the executor has. */
export const foreignKey = encrypt("ab".repeat(32), "ff".repeat(32))

/** Writes an order as v1.1 did: `now()` of a session in the database's own zone, in columns that hold no zone. */
export const leaveBehind = Effect.fnUntraced(function* (name: string, order: V11Order) {
  const sql = yield* SqlClient.SqlClient
  const who = yield* person(name)
  const total = order.total ?? PRICE * BigInt(order.quantity)
  const then = sql`now() - ${order.age}::interval`
  const [row] = yield* sql<{ readonly id: string }>`
    INSERT INTO ai_agent_tasks (user_address, agent_wallet_id, token_address, quantity, price_per_mint, total_cost,
      status, mints_completed, retry_count, started_at, created_at, updated_at)
    VALUES (${who.userAddress}, ${who.walletId}, ${TOKEN}, ${order.quantity}, ${PRICE}, ${total},
      ${order.status}, ${order.minted ?? 0}, ${order.retries ?? 0},
      CASE WHEN ${order.status} = 'processing' THEN ${then} END, ${then}, ${then})
    RETURNING id`
  return { id: row?.id ?? "", name, who, order }
})

export const outcomeOf = Effect.fnUntraced(function* (id: string) {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<Outcome>`
    SELECT t.status, t.mints_completed AS minted, t.retry_count AS retries, t.error_message AS error,
      s.held_at IS NOT NULL AS held, abs(extract(epoch FROM t.completed_at - now()::timestamp)) < 120 AS "endedNow"
    FROM ai_agent_tasks t LEFT JOIN ai_agent_task_state s ON s.task_id = t.id WHERE t.id = ${id}::uuid`
  return row ?? (yield* Effect.die(new Error(`there is no task ${id}`)))
})
