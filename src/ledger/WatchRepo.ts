import { Context, type Effect } from "effect"
import type { Address, Bytes32 } from "../domain/Address.ts"
import type { Batch, BatchStatus } from "../domain/Batch.ts"
import type { Deposit } from "../domain/Deposit.ts"
import type { Refund, RefundId } from "../domain/Refund.ts"
import type { Status, TaskId, TaskRow } from "../domain/Task.ts"
import type { Usdc } from "../domain/Usdc.ts"
import type { Wallet, WalletId } from "../domain/Wallet.ts"
import type { LedgerError } from "./TaskRepo.ts"

/** How many there are of something that should not last, and since when the oldest of them is so. */
export interface Waiting {
  readonly count: number
  readonly sinceMs: number | undefined
}

/** Sums over the whole ledger, of one moment. */
export interface LedgerFigures {
  /**
   * All tasks there ever were; states that no task has are left out, and tasks whose state is none of ours. `cost` is the
   * sum of `total_cost`.
   */
  readonly tasks: ReadonlyArray<{
    readonly status: Status
    readonly held: boolean
    readonly count: number
    readonly cost: Usdc
  }>
  readonly batches: ReadonlyArray<{ readonly status: BatchStatus; readonly count: number; readonly amount: Usdc }>
  /** Batches whose outcome the chain has not shown yet. */
  readonly unknown: Waiting
  /** Batches that are paid and not delivered. */
  readonly undelivered: Waiting
  /** Open tasks that wait for a person. */
  readonly held: Waiting
  readonly stoppedWallets: Waiting
  /** Orders that wait for a limit. */
  readonly limited: Waiting
  /** USDC that came in, was paid for mints, went back, and is left of what came in. */
  readonly money: {
    readonly deposited: Usdc
    readonly paid: Usdc
    readonly refunded: Usdc
    readonly credit: Usdc
  }
  /** When this ledger began, where orders were minted before that: their money is in none of the sums. */
  readonly beganMs?: number | undefined
  /** Since when the longest overdue row has been due; `undefined` where nothing is overdue. */
  readonly dueSinceMs: number | undefined
}

/** One step of an order, a payment, a deposit, a refund or a decision, written down by the database as it happened. */
export interface LedgerEvent {
  /** Rises with time. Events of transactions that overlap may come a moment later than their number. */
  readonly id: number
  readonly atMs: number
  /**
   * What happened to what: `task.funded`, `batch.paid`, `deposit.arrived`, `refund.signed`, `wallet.stopped`,
   * `decision.made`, …
   */
  readonly kind: string
  readonly taskId: TaskId | undefined
  readonly walletId: WalletId | undefined
  readonly batch: number | undefined
  /** What belongs to the kind; amounts are base units as text. */
  readonly detail: { readonly [name: string]: string | number | null }
}

/** A row of `ai_agent_tasks` with all that v1.1's front end shows of it, sound or not. */
export interface TaskView extends TaskRow {
  /** Of an order that waits for its money: the deposits of its wallet that are not used yet, at most its cost. */
  readonly received: bigint | undefined
  /** The states that its batches are in. */
  readonly batches: ReadonlySet<BatchStatus>
  readonly mintsFailed: number
  readonly fundingTx: string | undefined
  readonly fundingReceivedAtMs: number | undefined
  readonly completedAtMs: number | undefined
  /** Why it waits for a person, and since when. */
  readonly held: { readonly reason: string; readonly sinceMs: number } | undefined
  /** The wallet that the person pays into; `undefined` where the row names none that can be read. */
  readonly agentAddress: string | undefined
}

/** Which tasks. All that is given must hold. */
export interface TaskFilter {
  readonly statuses: ReadonlyArray<Status>
  readonly userAddress?: Address | undefined
  readonly token?: Address | undefined
  readonly walletId?: WalletId | undefined
  readonly held?: boolean | undefined
  /** Placed at this moment or later, and before that one. Orders without a time are placed in 1970. */
  readonly fromMs?: number | undefined
  readonly beforeMs?: number | undefined
  /**
   * A transaction that belongs to it: a deposit that paid for it, a payment, or a mint. A refund, and a deposit that has
   * paid for nothing yet, belong to all orders of their wallet.
   */
  readonly tx?: Bytes32 | undefined
}

/** The place behind a task in a list that begins with the newest. Orders without a time come last, as if from 1970. */
export interface TaskPlace {
  /** As the column has it, which may be infinite. */
  readonly placedAtMs: number
  readonly id: TaskId
}

export interface TaskPage {
  /** Newest first. */
  readonly tasks: ReadonlyArray<TaskView>
  /** Pass it on to read the next page; `undefined` after the last one. */
  readonly next: TaskPlace | undefined
}

/** What paid for an order or went back in a refund, out of one deposit. */
export interface UsedDeposit extends Deposit {
  readonly used: Usdc
  /** The chain was reorganised, and does not show it any more. */
  readonly isWithdrawn: boolean
}

export interface DecidedEvent {
  readonly atMs: number
  readonly command: string
  readonly said: string
  readonly why: string
  /** `undefined` for decisions from before it was noted. */
  readonly by: string | undefined
}

/** All that is written about one task. */
export interface TaskStory {
  readonly task: TaskView
  readonly batches: ReadonlyArray<Batch>
  /** By batch number. */
  readonly mints: ReadonlyArray<{
    readonly batch: number
    readonly mintNumber: number
    readonly tx: Bytes32
    readonly logIndex: number
    /** Its number among the mints of its token and person in the transaction, from 0. */
    readonly part: number
    /** `undefined` of a mint from before blocks were noted. */
    readonly block: bigint | undefined
  }>
  readonly deposits: ReadonlyArray<UsedDeposit>
  /** The offer that it was placed with. */
  readonly quote:
    | {
        readonly id: string
        readonly quantity: number
        readonly pricePerMint: Usdc
        readonly quotedAtMs: number
        readonly expiresAtMs: number
      }
    | undefined
  /** Paid refunds that took a part of the same deposits. Oldest first. */
  readonly refunds: ReadonlyArray<Refund>
  readonly decisions: ReadonlyArray<DecidedEvent>
  /** Oldest first. Empty for what happened before events were written. */
  readonly events: ReadonlyArray<LedgerEvent>
}

/** What a wallet did and holds, as the ledger has it. */
export interface WalletStory {
  readonly wallet: Wallet
  readonly stopped: { readonly reason: string; readonly sinceMs: number | undefined } | undefined
  /** The balance that its books expect, below zero where a deposit is missing; and the block up to which they are counted. */
  readonly books: { readonly balance: bigint; readonly block: bigint } | undefined
  readonly provenBlock: bigint
  readonly reserved: Usdc
  readonly maybeSpent: Usdc
  /** Newest first, at most 100. */
  readonly deposits: ReadonlyArray<Deposit & { readonly left: Usdc }>
  /** Newest first, at most 100. */
  readonly refunds: ReadonlyArray<Refund>
  readonly decisions: ReadonlyArray<DecidedEvent>
}

/** Something that waits for a person, or will if it lasts. */
export interface AttentionItem {
  readonly kind: "held" | "undelivered" | "unknown" | "stopped" | "refund" | "limit"
  readonly taskId: TaskId | undefined
  readonly walletId: WalletId | undefined
  readonly agentAddress: string | undefined
  readonly batch: number | undefined
  readonly sinceMs: number | undefined
  readonly reason: string
  /** How many wait for the same cause, this one included: what names and numbers tell apart is one cause. */
  readonly alike: number
}

/** What became of orders that were created since some moment: how far each of them came. */
export interface Funnel {
  readonly created: number
  readonly funded: number
  readonly minting: number
  readonly completed: number
  readonly failed: number
  readonly cancelled: number
}

/**
 * - `opened`, `closed`: the books of a wallet, with the balance that they began with; `closed` where the chain was
 *   reorganised below that.
 * - `deposit`, `payment`, `refund`: USDC that moved; each of them `… withdrawn` where the chain took it back.
 * - `reserved`, `released`: for an order or a refund; nothing moved.
 */
export const JOURNAL_KINDS = [
  "opened",
  "closed",
  "deposit",
  "deposit withdrawn",
  "payment",
  "payment withdrawn",
  "refund",
  "refund withdrawn",
  "reserved",
  "released"
] as const

/** What changed of the books of a wallet, or of what is reserved of them. Never changed, and never deleted. */
export interface JournalEntry {
  readonly id: number
  /** When the ledger recorded it. */
  readonly atMs: number
  readonly kind: (typeof JOURNAL_KINDS)[number]
  readonly walletId: WalletId
  /** As they are stored: another program's texts. */
  readonly agentAddress: string | undefined
  readonly userAddress: string | undefined
  readonly taskId: TaskId | undefined
  readonly batch: number | undefined
  readonly refundId: RefundId | undefined
  readonly token: string | undefined
  readonly tx: Bytes32 | undefined
  readonly logIndex: number | undefined
  readonly block: bigint | undefined
  /** USDC that came in, or, below zero, went out. */
  readonly amount: bigint
  /** What the balance of the books changed by: zero where they were not open, or began with it. */
  readonly books: bigint
  /** What is reserved changed by. */
  readonly reserved: bigint
}

/** From the first moment to before the last. */
export interface Period {
  readonly fromMs: number
  readonly toMs: number
}

/** The ledger as operators look at it. Changes nothing, waits for no writes, and decides nothing about money. */
export class WatchRepo extends Context.Service<
  WatchRepo,
  {
    readonly figures: (nowMs: number) => Effect.Effect<LedgerFigures, LedgerError>
    readonly funnel: (sinceMs: number) => Effect.Effect<Funnel, LedgerError>
    /** Tasks newest first, `limit` at most, from behind `after` on. */
    readonly listTasks: (
      filter: TaskFilter,
      page: { readonly after: TaskPlace | undefined; readonly limit: number }
    ) => Effect.Effect<TaskPage, LedgerError>
    /** Tasks of one person as v1.1's server lists them: newest first, with the number of all. */
    readonly tasksOf: (
      userAddress: Address,
      page: { readonly limit: number; readonly offset: number }
    ) => Effect.Effect<{ readonly tasks: ReadonlyArray<TaskView>; readonly total: number }, LedgerError>
    /** `undefined` where its state is none of ours, too. */
    readonly viewTask: (id: TaskId) => Effect.Effect<TaskView | undefined, LedgerError>
    readonly storyOf: (id: TaskId) => Effect.Effect<TaskStory | undefined, LedgerError>
    readonly walletStory: (walletId: WalletId) => Effect.Effect<WalletStory | undefined, LedgerError>
    /** Whether the database takes writes: a standby does not, nor a database or role that was set so. */
    readonly takesWrites: Effect.Effect<boolean, LedgerError>
    /** Since when the longest overdue row has been due; `undefined` where nothing is overdue. */
    readonly dueSince: (nowMs: number) => Effect.Effect<number | undefined, LedgerError>
    /**
     * Events with a higher number, oldest first, `limit` at most; and, out of those with a lower one, the ones whose
     * numbers are given: a transaction that takes its time shows its events late.
     */
    readonly eventsAfter: (
      id: number,
      page: { readonly limit: number; readonly late?: ReadonlyArray<number> }
    ) => Effect.Effect<ReadonlyArray<LedgerEvent>, LedgerError>
    /** The highest number of an event so far; 0 where there is none. */
    readonly lastEvent: Effect.Effect<number, LedgerError>
    /** Entries of a period by time and number, `limit` at most, from behind the entry `after` on. */
    readonly journalPage: (
      period: Period,
      page: { readonly after: number | undefined; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<JournalEntry>, LedgerError>
    /** Sums of all entries before a moment: the balance of all books then, and what was reserved of it. */
    readonly journalSums: (
      beforeMs: number
    ) => Effect.Effect<{ readonly books: bigint; readonly reserved: bigint }, LedgerError>
    /** Wallets whose entries do not come to the balance of their books, `limit` at most. */
    readonly journalGaps: (
      limit: number
    ) => Effect.Effect<
      ReadonlyArray<{ readonly walletId: WalletId; readonly journal: bigint; readonly books: bigint }>,
      LedgerError
    >
    /**
     * Held tasks, undelivered and unknown batches, stopped wallets, refunds that are held or unpaid for ten minutes, orders
     * that wait for a limit: the oldest first, `limit` at most; where many wait for one cause, only the first few of them before those of others.
     */
    readonly attention: (limit: number) => Effect.Effect<ReadonlyArray<AttentionItem>, LedgerError>
  }
>()("ai-mint-executor/ledger/WatchRepo") {}
