import type { MemoryLedger, OrderInsert, TaskEdit } from "./memory/MemoryLedger.ts"
import { batchesOf } from "./memory/state.ts"
import { Effect } from "effect"
import { COLUMNS } from "./LedgerFixture.ts"
import type { Rows } from "./orders.ts"

const KEYS = new Map(Object.entries(COLUMNS).map(([key, column]) => [column, key]))

/** The same columns by the names and in the types of the ledger in memory. */
const editOf = (columns: Readonly<Record<string, unknown>>): TaskEdit =>
  Object.fromEntries(
    Object.entries(columns)
      .filter(([column]) => column !== "id")
      .map(([column, value]) => {
        const key = KEYS.get(column)
        if (key === undefined) throw new Error(`the ledger in memory has no column ${column}`)
        return [key, value instanceof Date ? value.getTime() : (value ?? undefined)]
      })
  )

/** What other programs do to the ledger in memory. */
export const rowsOf = (ledger: MemoryLedger["Service"]): Rows => ({
  insertWallet: (row) =>
    ledger.insertWallet({
      id: row.id,
      userAddress: row.user_address,
      agentAddress: row.agent_address,
      encryptedPrivateKey: row.encrypted_private_key
    }),
  insertOrder: (row) =>
    Effect.andThen(
      ledger.insertOrder({ id: row.id, ...editOf(row) } as OrderInsert),
      ledger.editTask(row.id, editOf(row))
    ),
  editTask: (id, columns) => ledger.editTask(id, editOf(columns)),
  readTask: (id) =>
    Effect.map(ledger.readTask(id), (row) =>
      row === undefined
        ? undefined
        : {
            status: row.status,
            mints_completed: row.mintsCompleted,
            mints_failed: row.mintsFailed,
            retry_count: row.retryCount,
            funding_tx_hash: row.fundingTx ?? null,
            error_message: row.errorMessage ?? null,
            funded_ms: row.fundingReceivedAtMs ?? null,
            started_ms: row.startedAtMs ?? null,
            completed_ms: row.completedAtMs ?? null
          }
    ),
  readBatches: (id) =>
    ledger.read((tables) =>
      batchesOf(tables, id).map(({ number, quantity, status, minted, sends, paidAmount, reason }) => {
        return { number, quantity, status, minted, sends, paid_amount: paidAmount ?? null, reason: reason ?? null }
      })
    ),
  mintNumbers: (id) =>
    ledger.read(({ mintRecords }) =>
      mintRecords
        .filter(({ taskId }) => taskId === id)
        .map(({ mintNumber }) => mintNumber)
        .toSorted((one, other) => one - other)
    ),
  heldReason: (id) =>
    ledger.read(({ taskStates }) => {
      const state = taskStates.get(id)
      return state?.heldAtMs === undefined ? undefined : state.heldReason
    })
})
