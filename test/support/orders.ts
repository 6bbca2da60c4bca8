import { createCipheriv, createHash } from "node:crypto"
import { Clock, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { privateKeyToAccount } from "viem/accounts"
import { type Address, address } from "../../src/domain/Address.ts"
import type { TaskId } from "../../src/domain/Task.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { ENCRYPTION_KEY } from "./settings.ts"
import { World } from "./World.ts"

export const TOKEN = address("0x70ce000000000000000000000000000000000001")
export const PRICE = 1_000_000n

/** A person with an agent wallet. The same name gives the same keys. */
export interface Person {
  readonly walletId: string
  readonly userAddress: Address
  readonly agentAddress: Address
}

const digest = (text: string): string => createHash("sha256").update(text).digest("hex")

const uuid = (text: string): string => digest(text).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, "$1-$2-$3-$4-$5")

/** `ivHex:authTagHex:cipherHex`, AES-256-GCM, as the platform's server stores keys. */
export const encrypt = (plain: string, keyHex = ENCRYPTION_KEY): string => {
  const iv = Buffer.from(digest(`iv ${plain}`).slice(0, 32), "hex")
  const cipher = createCipheriv("aes-256-gcm", Buffer.from(keyHex, "hex"), iv)
  const text = Buffer.concat([cipher.update(plain, "utf8"), cipher.final()])
  return [iv, cipher.getAuthTag(), text].map((part) => part.toString("hex")).join(":")
}

/** Registers a person with a wallet, as the platform's server does. */
export const person = Effect.fnUntraced(function* (name: string, options: { readonly key?: string } = {}) {
  const sql = yield* SqlClient.SqlClient
  const privateKey = digest(`agent ${name}`)
  const agentAddress = address(privateKeyToAccount(`0x${privateKey}`).address)
  const userAddress = address(privateKeyToAccount(`0x${digest(`user ${name}`)}`).address)
  const walletId = uuid(`wallet ${name}`)
  yield* sql`INSERT INTO ai_agent_wallets ${sql.insert({
    id: walletId,
    user_address: userAddress,
    agent_address: agentAddress,
    encrypted_private_key: options.key ?? encrypt(privateKey)
  })}`
  return { walletId, userAddress, agentAddress } satisfies Person
})

/** Columns of an order that a test wants otherwise. */
export interface OrderColumns {
  readonly id?: string
  readonly user_address?: string
  readonly token_address?: string
  readonly price_per_mint?: bigint
  readonly total_cost?: bigint
  readonly [column: string]: unknown
}

let orders = 0

/** Places an order now, by the test's clock, as the AI agent does. */
export const order = Effect.fnUntraced(function* (who: Person, quantity: number, columns: OrderColumns = {}) {
  const sql = yield* SqlClient.SqlClient
  const nowMs = yield* Clock.currentTimeMillis
  const row = {
    id: uuid(`order ${++orders}`),
    user_address: who.userAddress,
    agent_wallet_id: who.walletId,
    token_address: TOKEN,
    quantity,
    price_per_mint: PRICE,
    total_cost: PRICE * BigInt(quantity),
    created_at: new Date(nowMs),
    updated_at: new Date(nowMs),
    ...columns
  }
  yield* sql`INSERT INTO ai_agent_tasks ${sql.insert(row)}`
  return row.id as TaskId
})

/** What an operator sees of a task with SQL. */
export interface TaskView {
  readonly status: string
  readonly mints_completed: number
  readonly mints_failed: number
  readonly retry_count: number
  readonly funding_tx_hash: string | null
  readonly error_message: string | null
  readonly funded_ms: number | null
  readonly started_ms: number | null
  readonly completed_ms: number | null
}

export const readTask = Effect.fnUntraced(function* (id: TaskId) {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<TaskView>`
    SELECT status, mints_completed, mints_failed, retry_count, funding_tx_hash, error_message,
      (extract(epoch FROM funding_received_at) * 1000)::float8 AS funded_ms,
      (extract(epoch FROM started_at) * 1000)::float8 AS started_ms,
      (extract(epoch FROM completed_at) * 1000)::float8 AS completed_ms
    FROM ai_agent_tasks WHERE id = ${id}::uuid`
  return rows[0] ?? (yield* Effect.die(new Error(`there is no task ${id}`)))
})

/** What other programs and operators do to a task with SQL: the given columns get these values. */
export const editTask = Effect.fnUntraced(function* (id: TaskId, columns: Readonly<Record<string, unknown>>) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`UPDATE ai_agent_tasks SET ${sql.update(columns)} WHERE id = ${id}::uuid`
})

/** A payment of a task, as an operator sees it. */
export interface BatchView {
  readonly number: number
  readonly quantity: number
  readonly status: string
  readonly minted: number
  readonly sends: number
  readonly paid_amount: bigint | null
  readonly reason: string | null
}

export const readBatches = Effect.fnUntraced(function* (id: TaskId) {
  const sql = yield* SqlClient.SqlClient
  return yield* sql<BatchView>`
    SELECT number, quantity, status, minted, sends, paid_amount, reason
    FROM ai_agent_batches WHERE task_id = ${id}::uuid ORDER BY number`
})

/** Why a task waits for a person; `undefined` where it does not. */
export const heldReason = Effect.fnUntraced(function* (id: TaskId) {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ readonly held_reason: string }>`
    SELECT held_reason FROM ai_agent_task_state WHERE task_id = ${id}::uuid AND held_at IS NOT NULL`
  return rows[0]?.held_reason
})

/** Person, wallet and an order of theirs that is paid for: what most stories begin with. */
export const paidOrder = Effect.fnUntraced(function* (name: string, quantity: number, columns: OrderColumns = {}) {
  const who = yield* person(name)
  const task = yield* order(who, quantity, columns)
  const world = yield* World
  world.deposit(who.agentAddress, usdc(PRICE * BigInt(quantity)))
  return { who, task }
})
