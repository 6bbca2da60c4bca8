import { Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { SqlError } from "effect/sql/SqlError"
import type { Batch } from "../../src/domain/Batch.ts"
import { KeyId } from "../../src/domain/Key.ts"
import { TaskId } from "../../src/domain/Task.ts"
import { WalletId } from "../../src/domain/Wallet.ts"
import {
  MemoryLedger,
  type OrderInsert,
  type StoredDecision,
  type StoredMintRecord,
  type StoredTask,
  type StoredWalletState,
  type TaskEdit,
  type WalletEdit,
  type WalletInsert
} from "./memory/MemoryLedger.ts"
import { batchesOf, taskState, walletState } from "./memory/state.ts"
import { batchesFrom } from "../../src/ledger/sql/transferRows.ts"

type Fails = SqlError | Schema.SchemaError

/**
 * The other programs at the ledger's tables: the one that takes orders, the operator with SQL. What they write, the
 * ledger has to live with; what they read, it has promised.
 */
export class LedgerFixture extends Context.Service<
  LedgerFixture,
  {
    /** Every table of the ledger empty again. */
    readonly clear: Effect.Effect<void, Fails>
    readonly insertWallet: (wallet: WalletInsert) => Effect.Effect<WalletId, Fails>
    readonly editWallet: (id: WalletId, edit: WalletEdit) => Effect.Effect<void, Fails>
    readonly insertOrder: (order: OrderInsert) => Effect.Effect<TaskId, Fails>
    readonly editTask: (id: TaskId, edit: TaskEdit) => Effect.Effect<void, Fails>
    readonly readTask: (id: TaskId) => Effect.Effect<StoredTask, Fails>
    readonly readBatches: (id: TaskId) => Effect.Effect<ReadonlyArray<Batch>, Fails>
    readonly readMintRecords: (id: TaskId) => Effect.Effect<ReadonlyArray<StoredMintRecord>, Fails>
    /** What people decided, oldest first. */
    readonly readDecisions: Effect.Effect<ReadonlyArray<StoredDecision>, Fails>
    /** The key that an order was placed with. */
    readonly readKeyOf: (id: TaskId) => Effect.Effect<KeyId | undefined, Fails>
    readonly readWalletState: (id: WalletId) => Effect.Effect<Pick<StoredWalletState, "version" | "provenBlock">, Fails>
  }
>()("test/support/LedgerFixture") {
  static readonly layerMemory = Layer.effect(
    LedgerFixture,
    Effect.gen(function* () {
      const ledger = yield* MemoryLedger
      const empty = yield* ledger.backup
      return LedgerFixture.of({
        clear: ledger.restore(empty),
        insertWallet: ledger.insertWallet,
        editWallet: ledger.editWallet,
        insertOrder: ledger.insertOrder,
        editTask: ledger.editTask,
        readTask: (id) => Effect.flatMap(ledger.readTask(id), Effect.fromNullishOr).pipe(Effect.orDie),
        readBatches: (id) => ledger.read((tables) => batchesOf(tables, id)),
        readMintRecords: (id) => ledger.read(({ mintRecords }) => mintRecords.filter(({ taskId }) => taskId === id)),
        readDecisions: ledger.read(({ decisions }) => decisions),
        readKeyOf: (id) => ledger.read((tables) => taskState(tables, id).keyId),
        readWalletState: (id) =>
          ledger.read((tables) => {
            const { version, provenBlock } = walletState(tables, id)
            return { version, provenBlock }
          })
      })
    })
  )

  static readonly layerSql = Layer.effect(LedgerFixture, Effect.map(SqlClient.SqlClient, overSql))
}

const WalletIds = Schema.Tuple([Schema.Struct({ id: WalletId })])
const TaskIds = Schema.Tuple([Schema.Struct({ id: TaskId })])

const Tasks = Schema.Tuple([
  Schema.Struct({
    id: TaskId,
    walletId: WalletId,
    userAddress: Schema.String,
    token: Schema.String,
    quantity: Schema.Number,
    pricePerMint: Schema.BigInt,
    totalCost: Schema.BigInt,
    status: Schema.Literals(["pending_payment", "funded", "processing", "completed", "failed", "cancelled"]),
    mintsCompleted: Schema.Number,
    mintsFailed: Schema.Number,
    retryCount: Schema.Number,
    fundingTx: Schema.NullOr(Schema.String),
    fundingReceivedAtMs: Schema.NullOr(Schema.Number),
    startedAtMs: Schema.NullOr(Schema.Number),
    completedAtMs: Schema.NullOr(Schema.Number),
    errorMessage: Schema.NullOr(Schema.String),
    createdAtMs: Schema.Number,
    updatedAtMs: Schema.Number
  })
])

const MintRecords = Schema.Array(
  Schema.Struct({
    taskId: TaskId,
    mintNumber: Schema.Number,
    status: Schema.String,
    tx: Schema.NullOr(Schema.String),
    createdAtMs: Schema.Number,
    completedAtMs: Schema.NullOr(Schema.Number)
  })
)

const Decisions = Schema.Array(
  Schema.Struct({
    command: Schema.String,
    said: Schema.String,
    why: Schema.String,
    by: Schema.String,
    keyId: Schema.NullOr(KeyId),
    taskId: Schema.NullOr(TaskId),
    walletId: Schema.NullOr(WalletId),
    decidedAtMs: Schema.Number
  })
)

const KeysOf = Schema.Array(Schema.Struct({ keyId: Schema.NullOr(KeyId) }))

const WalletStates = Schema.Array(Schema.Struct({ version: Schema.BigInt, provenBlock: Schema.BigInt }))

/**
 * Written apart from the ledger's own SQL, so that a wrong conversion there cannot hide behind itself here: times go
 * through the zone of this session, as they do for any program that says nothing about zones.
 */
function overSql(sql: SqlClient.SqlClient): LedgerFixture["Service"] {
  const instant = (ms: number) => sql`to_timestamp(${ms}::float8 / 1000)`
  const millis = (column: string) => sql`(extract(epoch FROM ${sql(column)}::timestamptz) * 1000)::float8`
  const editTask = Effect.fnUntraced(function* (id: TaskId, edit: TaskEdit) {
    for (const [key, value] of Object.entries(edit)) {
      const stored = typeof value === "number" && key.endsWith("AtMs") ? instant(value) : sql`${value ?? null}`
      yield* sql`UPDATE ai_agent_tasks SET ${sql(COLUMNS[key as keyof TaskEdit])} = ${stored} WHERE id = ${id}::uuid`
    }
  })
  return {
    clear: Effect.provideService(clear, SqlClient.SqlClient, sql),
    insertWallet: Effect.fnUntraced(function* (wallet) {
      const rows = yield* sql`
        INSERT INTO ai_agent_wallets (id, user_address, agent_address, encrypted_private_key)
        VALUES (coalesce(${wallet.id ?? null}::uuid, gen_random_uuid()), ${wallet.userAddress}, ${wallet.agentAddress},
          ${wallet.encryptedPrivateKey ?? ""})
        RETURNING id`
      return (yield* Schema.decodeUnknownEffect(WalletIds)(rows))[0].id
    }),
    editWallet: Effect.fnUntraced(function* (id, { userAddress, agentAddress }) {
      yield* sql`
        UPDATE ai_agent_wallets SET user_address = coalesce(${userAddress ?? null}, user_address),
          agent_address = coalesce(${agentAddress ?? null}, agent_address)
        WHERE id = ${id}::uuid`
    }),
    insertOrder: Effect.fnUntraced(function* (order) {
      const given = {
        agent_wallet_id: order.walletId,
        user_address: order.userAddress,
        token_address: order.token,
        quantity: order.quantity,
        price_per_mint: order.pricePerMint,
        total_cost: order.totalCost,
        ...(order.id === undefined ? {} : { id: order.id })
      }
      const rows = yield* sql`INSERT INTO ai_agent_tasks ${sql.insert(given)} RETURNING id`
      const [{ id }] = yield* Schema.decodeUnknownEffect(TaskIds)(rows)
      if (order.createdAtMs !== undefined) yield* editTask(id, { createdAtMs: order.createdAtMs })
      return id
    }),
    editTask,
    readTask: Effect.fnUntraced(function* (id) {
      const rows = yield* sql`
        SELECT id, agent_wallet_id AS "walletId", user_address AS "userAddress", token_address AS token, quantity,
          price_per_mint AS "pricePerMint", total_cost AS "totalCost", status, mints_completed AS "mintsCompleted",
          mints_failed AS "mintsFailed", retry_count AS "retryCount", funding_tx_hash AS "fundingTx",
          error_message AS "errorMessage", ${millis("funding_received_at")} AS "fundingReceivedAtMs",
          ${millis("started_at")} AS "startedAtMs", ${millis("completed_at")} AS "completedAtMs",
          ${millis("created_at")} AS "createdAtMs", ${millis("updated_at")} AS "updatedAtMs"
        FROM ai_agent_tasks WHERE id = ${id}::uuid`
      const [row] = yield* Schema.decodeUnknownEffect(Tasks)(rows)
      return {
        ...row,
        fundingTx: row.fundingTx ?? undefined,
        fundingReceivedAtMs: row.fundingReceivedAtMs ?? undefined,
        startedAtMs: row.startedAtMs ?? undefined,
        completedAtMs: row.completedAtMs ?? undefined,
        errorMessage: row.errorMessage ?? undefined
      }
    }),
    readBatches: (id) => batchesFrom({ sql }, sql`WHERE b.task_id = ${id}::uuid ORDER BY b.number`),
    readMintRecords: Effect.fnUntraced(function* (id) {
      const rows = yield* sql`
        SELECT task_id AS "taskId", mint_number AS "mintNumber", status, tx_hash AS tx,
          ${millis("created_at")} AS "createdAtMs", ${millis("completed_at")} AS "completedAtMs"
        FROM ai_agent_mint_records WHERE task_id = ${id}::uuid ORDER BY mint_number`
      const records = yield* Schema.decodeUnknownEffect(MintRecords)(rows)
      return records.map((row) => ({
        ...row,
        tx: row.tx ?? undefined,
        completedAtMs: row.completedAtMs ?? undefined
      }))
    }),
    readDecisions: Effect.gen(function* () {
      const rows = yield* sql`
        SELECT command, said, why, made_by AS by, key_id AS "keyId", task_id AS "taskId", wallet_id AS "walletId",
          ${millis("decided_at")} AS "decidedAtMs"
        FROM ai_agent_decisions ORDER BY id`
      const decisions = yield* Schema.decodeUnknownEffect(Decisions)(rows)
      return decisions.map((row) => ({
        ...row,
        keyId: row.keyId ?? undefined,
        taskId: row.taskId ?? undefined,
        walletId: row.walletId ?? undefined
      }))
    }),
    readKeyOf: Effect.fnUntraced(function* (id) {
      const rows = yield* sql`SELECT key_id AS "keyId" FROM ai_agent_task_state WHERE task_id = ${id}::uuid`
      return (yield* Schema.decodeUnknownEffect(KeysOf)(rows))[0]?.keyId ?? undefined
    }),
    readWalletState: Effect.fnUntraced(function* (id) {
      const rows = yield* sql`
        SELECT version, proven_block AS "provenBlock" FROM ai_agent_wallet_state WHERE wallet_id = ${id}::uuid`
      return (yield* Schema.decodeUnknownEffect(WalletStates)(rows))[0] ?? { version: 0n, provenBlock: 0n }
    })
  }
}

const TABLES = [
  "ai_agent_pauses",
  "ai_agent_limits",
  "ai_agent_batch_mints",
  "ai_agent_stray_mints",
  "ai_agent_deposits",
  "ai_agent_deposit_uses",
  "ai_agent_refunds",
  "ai_agent_pay_ins",
  "ai_agent_decisions",
  "ai_agent_keys",
  "ai_agent_quotes",
  "ai_agent_batches",
  "ai_agent_task_state",
  "ai_agent_wallet_state",
  "ai_agent_wallet_pins",
  "ai_agent_mint_records",
  "ai_agent_tasks",
  "ai_agent_wallets",
  "ai_agent_events",
  "ai_agent_journal",
  "ai_agent_anchors",
  "ai_agent_reorganisations"
]

/** Every table of the ledger empty again, in one statement. Tables of a few rows are emptied faster than truncated. */
export const clear = Effect.flatMap(SqlClient.SqlClient, (sql) => {
  const emptied = TABLES.map((table) => `of_${table} AS (DELETE FROM ${table})`)
  return Effect.asVoid(sql`WITH ${sql.literal(emptied.join(", "))} SELECT`)
})

/** The columns of an order, by the names that the ledger in memory has for them. */
export const COLUMNS: { readonly [K in keyof Required<TaskEdit>]: string } = {
  walletId: "agent_wallet_id",
  userAddress: "user_address",
  token: "token_address",
  quantity: "quantity",
  pricePerMint: "price_per_mint",
  totalCost: "total_cost",
  status: "status",
  mintsCompleted: "mints_completed",
  mintsFailed: "mints_failed",
  retryCount: "retry_count",
  fundingTx: "funding_tx_hash",
  fundingReceivedAtMs: "funding_received_at",
  startedAtMs: "started_at",
  completedAtMs: "completed_at",
  errorMessage: "error_message",
  createdAtMs: "created_at",
  updatedAtMs: "updated_at"
}
