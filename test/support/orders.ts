import { createCipheriv, createHash } from "node:crypto"
import { Clock, Effect, Option } from "effect"
import { SqlClient } from "effect/sql"
import type { SqlError } from "effect/sql/SqlError"
import { privateKeyToAccount } from "viem/accounts"
import { type Address, address } from "../../src/domain/Address.ts"
import type { TaskId } from "../../src/domain/Task.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import type { WalletId } from "../../src/domain/Wallet.ts"
import { type AnyId, anyId } from "./anyId.ts"
import { MemoryLedger } from "./memory/MemoryLedger.ts"
import { rowsOf } from "./memoryRows.ts"
import { ENCRYPTION_KEY } from "./settings.ts"
import { World } from "./World.ts"

export const TOKEN = address("0x70ce000000000000000000000000000000000001")
export const PRICE = 1_000_000n

/** A person with an agent wallet. The same name gives the same keys. */
export interface Person {
  readonly walletId: WalletId
  readonly userAddress: Address
  readonly agentAddress: Address
}

const digest = (text: string): string => createHash("sha256").update(text).digest("hex")

const uuid = (text: string): AnyId =>
  anyId(digest(text).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, "$1-$2-$3-$4-$5"))

/** `ivHex:authTagHex:cipherHex`, AES-256-GCM, as the platform's server stores keys. */
export const encrypt = (plain: string, keyHex = ENCRYPTION_KEY): string => {
  const iv = Buffer.from(digest(`iv ${plain}`).slice(0, 32), "hex")
  const cipher = createCipheriv("aes-256-gcm", Buffer.from(keyHex, "hex"), iv)
  const text = Buffer.concat([cipher.update(plain, "utf8"), cipher.final()])
  return [iv, cipher.getAuthTag(), text].map((part) => part.toString("hex")).join(":")
}

interface WalletRow {
  readonly id: WalletId
  readonly user_address: string
  readonly agent_address: string
  readonly encrypted_private_key: string
}

/** What other programs and operators write and read in the tables. */
export interface Rows {
  readonly insertWallet: (row: WalletRow) => Effect.Effect<unknown, SqlError>
  readonly insertOrder: (row: OrderColumns & { readonly id: TaskId }) => Effect.Effect<unknown, SqlError>
  readonly editTask: (id: TaskId, columns: Readonly<Record<string, unknown>>) => Effect.Effect<unknown, SqlError>
  readonly readTask: (id: TaskId) => Effect.Effect<TaskView | undefined, SqlError>
  readonly readBatches: (id: TaskId) => Effect.Effect<ReadonlyArray<BatchView>, SqlError>
  readonly mintNumbers: (id: TaskId) => Effect.Effect<ReadonlyArray<number>, SqlError>
  /** `undefined` where it is not held. */
  readonly heldReason: (id: TaskId) => Effect.Effect<string | undefined, SqlError>
}

const overSql = (sql: SqlClient.SqlClient): Rows => ({
  insertWallet: (row) => sql`INSERT INTO ai_agent_wallets ${sql.insert({ ...row })}`,
  insertOrder: (row) => sql`INSERT INTO ai_agent_tasks ${sql.insert(row)}`,
  editTask: (id, columns) => sql`UPDATE ai_agent_tasks SET ${sql.update(columns)} WHERE id = ${id}::uuid`,
  readTask: (id) =>
    Effect.map(
      sql<TaskView>`
        SELECT status, mints_completed, mints_failed, retry_count, funding_tx_hash, error_message,
          (extract(epoch FROM funding_received_at) * 1000)::float8 AS funded_ms,
          (extract(epoch FROM started_at) * 1000)::float8 AS started_ms,
          (extract(epoch FROM completed_at) * 1000)::float8 AS completed_ms
        FROM ai_agent_tasks WHERE id = ${id}::uuid`,
      ([row]) => row
    ),
  readBatches: (id) => sql<BatchView>`
    SELECT number, quantity, status, minted, sends, paid_amount, reason
    FROM ai_agent_batches WHERE task_id = ${id}::uuid ORDER BY number`,
  mintNumbers: (id) =>
    Effect.map(
      sql<{ readonly n: number }>`
        SELECT mint_number AS n FROM ai_agent_mint_records WHERE task_id = ${id}::uuid ORDER BY 1`,
      (records) => records.map(({ n }) => n)
    ),
  heldReason: (id) =>
    Effect.map(
      sql<{ readonly held_reason: string }>`
        SELECT held_reason FROM ai_agent_task_state WHERE task_id = ${id}::uuid AND held_at IS NOT NULL`,
      ([row]) => row?.held_reason
    )
})

/** Of the ledger in memory where the test runs on it, else of the database. */
const rows = Effect.gen(function* () {
  const memory = yield* Effect.serviceOption(MemoryLedger)
  return Option.isSome(memory) ? rowsOf(memory.value) : overSql(yield* SqlClient.SqlClient)
})

/** Registers a person with a wallet, as the platform's server does. */
export const person = Effect.fnUntraced(function* (name: string, options: { readonly key?: string } = {}) {
  const privateKey = digest(`agent ${name}`)
  const agentAddress = address(privateKeyToAccount(`0x${privateKey}`).address)
  const userAddress = address(privateKeyToAccount(`0x${digest(`user ${name}`)}`).address)
  const walletId: WalletId = uuid(`wallet ${name}`)
  yield* (yield* rows).insertWallet({
    id: walletId,
    user_address: userAddress,
    agent_address: agentAddress,
    encrypted_private_key: options.key ?? encrypt(privateKey)
  })
  return { walletId, userAddress, agentAddress } satisfies Person
})

/** Columns of an order that a test wants otherwise. */
export interface OrderColumns {
  readonly id?: TaskId
  readonly user_address?: string
  readonly token_address?: string
  readonly price_per_mint?: bigint
  readonly total_cost?: bigint
  readonly [column: string]: unknown
}

let orders = 0

/** Places an order now, by the test's clock, as the AI agent does. */
export const order = Effect.fnUntraced(function* (who: Person, quantity: number, columns: OrderColumns = {}) {
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
  yield* (yield* rows).insertOrder(row)
  return row.id
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
  return (yield* (yield* rows).readTask(id)) ?? (yield* Effect.die(new Error(`there is no task ${id}`)))
})

/** What other programs and operators do to a task with SQL: the given columns get these values. */
export const editTask = (id: TaskId, columns: Readonly<Record<string, unknown>>) =>
  Effect.flatMap(rows, ({ editTask: edit }) => edit(id, columns))

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

export const readBatches = (id: TaskId) => Effect.flatMap(rows, ({ readBatches: read }) => read(id))

/** The numbers of the mints that the table of v1.1 has for an order, in their order. */
export const mintNumbers = (id: TaskId) => Effect.flatMap(rows, ({ mintNumbers: read }) => read(id))

/** Why a task waits for a person; `undefined` where it does not. */
export const heldReason = (id: TaskId) => Effect.flatMap(rows, ({ heldReason: read }) => read(id))

/** Person, wallet and an order of theirs: what most stories begin with. */
export const unpaidOrder = Effect.fnUntraced(function* (name: string, quantity: number, columns: OrderColumns = {}) {
  const who = yield* person(name)
  return { who, task: yield* order(who, quantity, columns) }
})

/** The same, paid for. */
export const paidOrder = Effect.fnUntraced(function* (name: string, quantity: number, columns: OrderColumns = {}) {
  const { who, task } = yield* unpaidOrder(name, quantity, columns)
  const world = yield* World
  world.deposit(who.agentAddress, usdc(PRICE * BigInt(quantity)))
  return { who, task }
})
