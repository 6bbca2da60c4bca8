import { Clock, Context, Effect, Layer, Ref } from "effect"
import { parse } from "../../../src/domain/Address.ts"
import type { KeptAnchor } from "../../../src/domain/Anchor.ts"
import type { Batch } from "../../../src/domain/Batch.ts"
import type { DepositUse, UnspentDeposit } from "../../../src/domain/Deposit.ts"
import type { KeyId } from "../../../src/domain/Key.ts"
import type { Limit, LimitScope } from "../../../src/domain/Limit.ts"
import type { Quote, QuoteId } from "../../../src/domain/Quote.ts"
import type { Refund, RefundId } from "../../../src/domain/Refund.ts"
import type { TaskId, TaskRow } from "../../../src/domain/Task.ts"
import type { WalletId } from "../../../src/domain/Wallet.ts"
import type { Decision, PaidOrder, Pause, PauseScope } from "../../../src/ledger/DecisionRepo.ts"
import { type DeliveredMint, type MintsOf, Outrun } from "../../../src/ledger/TaskRepo.ts"
import type { MethodsOf } from "../../../src/ledger/sql/statements.ts"
import { type AnyId, anyId } from "../anyId.ts"

/** A row of `ai_agent_tasks`: the columns that v1.1 has, with times in milliseconds since 1970. */
export interface StoredTask extends Omit<
  TaskRow,
  "reserved" | "adopted" | "nextActionAtMs" | "lastRefusal" | "stalledSinceMs" | "limitedSinceMs" | "keyId"
> {
  readonly mintsFailed: number
  readonly fundingTx: string | undefined
  readonly fundingReceivedAtMs: number | undefined
  readonly completedAtMs: number | undefined
}

/** A row of `ai_agent_wallets`. */
export interface StoredWallet {
  readonly id: WalletId
  readonly userAddress: string
  readonly agentAddress: string
  readonly encryptedPrivateKey: string
}

/** A row of `ai_agent_wallet_pins`. */
export interface StoredPin {
  readonly userAddress: string
  readonly agentAddress: string
}

/** A row of `ai_agent_mint_records`. */
export interface StoredMintRecord {
  readonly taskId: TaskId
  readonly mintNumber: number
  readonly status: string
  readonly tx: string | undefined
  readonly createdAtMs: number
  readonly completedAtMs: number | undefined
}

/** A row of `ai_agent_wallet_state`. */
export interface StoredWalletState {
  readonly version: bigint
  readonly provenBlock: bigint
  readonly openedBlock: bigint | undefined
  readonly countedBlock: bigint | undefined
  readonly bookBalance: bigint | undefined
  readonly stoppedReason: string | undefined
}

/** A row of `ai_agent_task_state`. */
export interface StoredTaskState {
  readonly reservedAtBlock: bigint | undefined
  readonly nextActionAtMs: number | undefined
  readonly heldAtMs: number | undefined
  readonly heldReason: string | undefined
  readonly refusal: string | undefined
  readonly refusedAtMs: number | undefined
  readonly stalledSinceMs: number | undefined
  readonly limitedSinceMs: number | undefined
  readonly adoptedAtMs: number | undefined
  readonly keyId: KeyId | undefined
}

/** A row of `ai_agent_deposits`. */
export type StoredDeposit = UnspentDeposit & {
  readonly walletId: WalletId
  /** It was on chain and is not any more: it counts for nothing until it is found again. */
  readonly isWithdrawn: boolean
}

/** A row of `ai_agent_decisions`. */
export interface StoredDecision extends Decision {
  readonly decidedAtMs: number
  readonly taskId: TaskId | undefined
  readonly walletId: WalletId | undefined
}

/** A row of `ai_agent_batch_mints`. */
export interface StoredMint extends MintsOf, DeliveredMint {
  readonly taskId: TaskId
  readonly batchNumber: number
}

/** All that the database would hold. Rows are values: a change of a row is another row in its place. */
export interface Tables {
  readonly wallets: Map<WalletId, StoredWallet>
  readonly pins: Map<WalletId, StoredPin>
  readonly tasks: Map<TaskId, StoredTask>
  readonly walletStates: Map<WalletId, StoredWalletState>
  readonly taskStates: Map<TaskId, StoredTaskState>
  /** By `batchKey`. */
  readonly batches: Map<string, Batch>
  /** By `mintRowKey`. */
  readonly mints: Map<string, StoredMint>
  /** Mints that are of no order here, as `mintRowKey` names them. */
  readonly strays: Set<string>
  /** By `placeKey`, with the index under which it was first seen. */
  readonly deposits: Map<string, StoredDeposit>
  readonly refunds: Map<RefundId, Refund>
  /** By `payInKey`. */
  readonly payIns: Map<string, PaidOrder>
  /** The keys in `payIns` of those that their clients called something, by `identifierKey`. */
  readonly payInIdentifiers: Map<string, string>
  /** What each refund took from the deposits. */
  readonly refundUses: Map<RefundId, ReadonlyArray<DepositUse>>
  readonly decisions: Array<StoredDecision>
  readonly pauses: Map<PauseScope, Pause>
  readonly limits: Map<LimitScope, Limit>
  readonly quotes: Map<QuoteId, Quote>
  /** What is noted of the chain once for all, by column. */
  readonly network: Map<string, string>
  readonly mintRecords: Array<StoredMintRecord>
  /** By block. */
  readonly anchors: Map<bigint, KeptAnchor>
}

export const batchKey = (batch: Pick<Batch, "taskId" | "number">): string => `${batch.taskId}/${batch.number}`

const emptyTables = (): Tables => ({
  wallets: new Map(),
  pins: new Map(),
  tasks: new Map(),
  walletStates: new Map(),
  taskStates: new Map(),
  batches: new Map(),
  mints: new Map(),
  strays: new Set(),
  deposits: new Map(),
  refunds: new Map(),
  payIns: new Map(),
  payInIdentifiers: new Map(),
  refundUses: new Map(),
  decisions: [],
  pauses: new Map(),
  limits: new Map(),
  quotes: new Map(),
  network: new Map(),
  mintRecords: [],
  anchors: new Map()
})

const copy = (tables: Tables): Tables => ({
  wallets: new Map(tables.wallets),
  pins: new Map(tables.pins),
  tasks: new Map(tables.tasks),
  walletStates: new Map(tables.walletStates),
  taskStates: new Map(tables.taskStates),
  batches: new Map(tables.batches),
  mints: new Map(tables.mints),
  strays: new Set(tables.strays),
  deposits: new Map(tables.deposits),
  refunds: new Map(tables.refunds),
  payIns: new Map(tables.payIns),
  payInIdentifiers: new Map(tables.payInIdentifiers),
  refundUses: new Map(tables.refundUses),
  decisions: [...tables.decisions],
  pauses: new Map(tables.pauses),
  limits: new Map(tables.limits),
  quotes: new Map(tables.quotes),
  network: new Map(tables.network),
  mintRecords: [...tables.mintRecords],
  anchors: new Map(tables.anchors)
})

export interface WalletInsert {
  /** The next of a series where left out, so that a run can be repeated. */
  readonly id?: WalletId
  readonly userAddress: string
  readonly agentAddress: string
  readonly encryptedPrivateKey?: string
}

/** Columns of a wallet that another program changes. */
export type WalletEdit = Partial<Pick<StoredWallet, "userAddress" | "agentAddress">>

/** The columns without a default, as another program writes them. */
export interface OrderInsert {
  readonly id?: TaskId
  readonly walletId: WalletId
  readonly userAddress: string
  readonly token: string
  readonly quantity: number
  readonly pricePerMint: bigint
  readonly totalCost: bigint
  /** Now, where left out. */
  readonly createdAtMs?: number
}

/** Columns of a task that another program, a v1.1 executor or an operator changes by hand. */
export type TaskEdit = Partial<Omit<StoredTask, "id">>

/**
 * A database in memory, for runs that must be the same every time. It outlives the ledger that works on it, as a
 * database outlives a process. `LedgerMemory` is the executor's side of it; the other methods are the other program's.
 */
export class MemoryLedger extends Context.Service<
  MemoryLedger,
  {
    readonly read: <A>(query: (tables: Tables) => A) => Effect.Effect<A>
    /** All or nothing: what `change` did to its copy of the tables counts, unless it gives `false`. */
    readonly transact: <A>(change: (draft: Tables) => A) => Effect.Effect<A>
    readonly insertWallet: (wallet: WalletInsert) => Effect.Effect<WalletId>
    readonly editWallet: (id: WalletId, edit: WalletEdit) => Effect.Effect<void>
    readonly insertOrder: (order: OrderInsert) => Effect.Effect<TaskId>
    readonly editTask: (id: TaskId, edit: TaskEdit) => Effect.Effect<void>
    readonly readTask: (id: TaskId) => Effect.Effect<StoredTask | undefined>
    /** The tables as they are now, and as they will stay: a backup. */
    readonly backup: Effect.Effect<Tables>
    readonly restore: (backup: Tables) => Effect.Effect<void>
  }
>()("ai-mint-executor/ledger/MemoryLedger") {
  static readonly layer = Layer.effect(
    MemoryLedger,
    Effect.gen(function* () {
      const tables = yield* Ref.make(emptyTables())
      const ids = yield* Ref.make(0)
      const nextId = Effect.map(
        Ref.updateAndGet(ids, (last) => last + 1),
        idOf
      )
      const transact = <A>(change: (draft: Tables) => A) =>
        Ref.modify(tables, (before) => {
          const draft = copy(before)
          const answer = change(draft)
          return [answer, answer === false ? before : draft]
        })
      return MemoryLedger.of({
        read: (query) => Effect.map(Ref.get(tables), query),
        transact,
        insertWallet: Effect.fnUntraced(function* (wallet) {
          const row = { encryptedPrivateKey: "", ...wallet, id: wallet.id ?? (yield* nextId) }
          yield* transact((draft) => {
            draft.wallets.set(row.id, row)
            // At the first look the tables say the same.
            pin(draft, row)
          })
          return row.id
        }),
        editWallet: (id, edit) =>
          Effect.asVoid(
            transact((draft) => {
              const row = draft.wallets.get(id)
              if (row !== undefined) draft.wallets.set(id, { ...row, ...edit })
            })
          ),
        insertOrder: Effect.fnUntraced(function* (order) {
          const createdAtMs = order.createdAtMs ?? (yield* Clock.currentTimeMillis)
          const row = newTask({ ...order, id: order.id ?? (yield* nextId), createdAtMs })
          yield* transact((draft) => draft.tasks.set(row.id, row))
          return row.id
        }),
        editTask: (id, edit) =>
          Effect.asVoid(
            transact((draft) => {
              const row = draft.tasks.get(id)
              if (row !== undefined) draft.tasks.set(id, { ...row, ...edit })
            })
          ),
        readTask: (id) => Effect.map(Ref.get(tables), (now) => now.tasks.get(id)),
        backup: Ref.get(tables),
        restore: (backup) => Ref.set(tables, backup)
      })
    })
  )
}

/** Notes a wallet that is seen for the first time. */
const pin = (draft: Tables, { id, userAddress, agentAddress }: StoredWallet): void => {
  const [user, agent] = [parse(userAddress), parse(agentAddress)]
  if (user === undefined || agent === undefined || draft.pins.has(id)) return
  draft.pins.set(id, { userAddress: user, agentAddress: agent })
}

/** The count comes first: people and logs name a task by the first eight digits. */
const idOf = (count: number): AnyId => anyId(`${count.toString(16).padStart(8, "0")}-0000-4000-8000-000000000000`)

/** What the defaults of the table make of an order. */
export const newTask = (order: OrderInsert & { readonly id: TaskId; readonly createdAtMs: number }): StoredTask => ({
  ...order,
  status: "pending_payment",
  mintsCompleted: 0,
  mintsFailed: 0,
  retryCount: 0,
  fundingTx: undefined,
  fundingReceivedAtMs: undefined,
  startedAtMs: undefined,
  completedAtMs: undefined,
  errorMessage: undefined,
  updatedAtMs: order.createdAtMs
})

/** The ways in which a method of a repo works on the tables. */
export interface MemoryWork {
  readonly read: <Args extends ReadonlyArray<unknown>, A>(
    query: (tables: Tables, ...args: Args) => A
  ) => (...args: Args) => Effect.Effect<A>
  readonly transact: <Args extends ReadonlyArray<unknown>, A>(
    change: (draft: Tables, ...args: Args) => A
  ) => (...args: Args) => Effect.Effect<A>
  /** `Outrun` where `change` gives `false`: then nothing is done. */
  readonly attempt: <Args extends ReadonlyArray<unknown>>(
    change: (draft: Tables, ...args: Args) => boolean
  ) => (...args: Args) => Effect.Effect<void, Outrun>
}

export const workOn = ({ read, transact }: MemoryLedger["Service"]): MemoryWork => {
  const inTransaction: MemoryWork["transact"] =
    (change) =>
    (...args) =>
      transact((draft) => change(draft, ...args))
  return {
    read:
      (query) =>
      (...args) =>
        read((tables) => query(tables, ...args)),
    transact: inTransaction,
    attempt:
      (change) =>
      (...args) =>
        Effect.flatMap(
          transact((draft) => change(draft, ...args)),
          (done) => (done ? Effect.void : Effect.fail(new Outrun()))
        )
  }
}

/** Methods of a repo. */
export type Methods<Repo> = MethodsOf<MemoryWork, Repo>
