import { Context, Effect, Schema } from "effect"
import type { Address, Bytes32 } from "../domain/Address.ts"
import type { Anchor, KeptAnchor } from "../domain/Anchor.ts"
import type { Batch } from "../domain/Batch.ts"
import type { Block } from "../domain/Block.ts"
import type { Deposit, DepositUse, UnspentDeposit } from "../domain/Deposit.ts"
import type { WalletRange } from "../domain/Part.ts"
import type { PayIn } from "../domain/PayIn.ts"
import type { Refund } from "../domain/Refund.ts"
import type { Status, Task, TaskId } from "../domain/Task.ts"
import type { Usdc } from "../domain/Usdc.ts"
import type { Wallet, WalletId } from "../domain/Wallet.ts"
import type { BadTask, WalletOrders, WalletWork } from "../domain/WalletState.ts"

/**
 * The ledger did not do it.
 *
 * - `Unavailable`: no connection, restart, a server that takes no writes: the same later.
 * - `Contended`: another transaction held what this one needs, at every try. Concerns these rows and no others.
 * - `Timeout`: no answer within `DATABASE_TIMEOUT`. Whether a write was done is not known: read again.
 * - `Unreadable`: a row that is not of the shape this program knows.
 * - `Rejected`: the database refused the statement: permissions, a missing column, a broken rule.
 */
export class LedgerError extends Schema.TaggedError<LedgerError>()("LedgerError", {
  reason: Schema.Literals(["Unavailable", "Contended", "Timeout", "Unreadable", "Rejected"]),
  operation: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.operation}: ${this.reason} (${this.detail})`
  }
}

/** Another writer was first: the transaction is undone and nothing has happened. */
export class Outrun extends Schema.TaggedError<Outrun>()("Outrun", {}) {}

/** For a write that may come too late: whether it was done. */
export const wasFirst = <E, R>(
  write: Effect.Effect<unknown, E | Outrun, R>
): Effect.Effect<boolean, Exclude<E, Outrun>, R> =>
  Effect.matchEffect(write, {
    onSuccess: () => Effect.succeed(true),
    onFailure: (error) => (error instanceof Outrun ? Effect.succeed(false) : Effect.fail(error as Exclude<E, Outrun>))
  })

export interface HoldOptions {
  /** Whether the row of the task says why it is held. `false` where that row cannot be written. */
  readonly inRow?: boolean
}

/** An order that waits until the key of its wallet opens. */
export interface HeldForKey extends BadTask {
  readonly wallet: Wallet
}

/** A wallet that was stopped for what its row says. */
export interface StoppedWallet {
  readonly walletId: WalletId
  /** As it was noted. */
  readonly agentAddress: string
  readonly reason: string
}

export interface PageAsked {
  readonly cursor: WalletId | undefined
  readonly walletsMax: number
  /** Only wallets of these, in the order of ids and apart from each other: every wallet where they are not given. */
  readonly ranges?: ReadonlyArray<WalletRange>
}

export interface PendingPage {
  readonly wallets: ReadonlyArray<WalletOrders>
  readonly bad: ReadonlyArray<BadTask>
  /** Pass it on to read the next page, which may be empty; `undefined` after the last one. */
  readonly cursor: WalletId | undefined
}

interface OnEvidence {
  readonly taskId: TaskId
  readonly walletId: WalletId
  /** The wallet's version when its reservations were read. */
  readonly version: bigint
}

export interface Funding extends OnEvidence {
  /** The transfer that paid, or `auto_funded` where only the balance is known. */
  readonly fundingTx: Bytes32 | "auto_funded"
  readonly receivedAtMs: number
  /** The recorded deposits that pay for it, as far as they are known. */
  readonly uses?: ReadonlyArray<DepositUse>
}

export interface Cancellation extends OnEvidence {
  readonly message: string
}

/** A wallet at which the chain was looked, and what it showed. */
export interface CountedWallet {
  readonly walletId: WalletId
  /** The wallet's version when it was read: its books are opened, and its cursor moves, only while it still has it. */
  readonly version: bigint
  /** USDC of the wallet in that block. */
  readonly balance: Usdc
  /** Whether every deposit up to that block is recorded now: the next search begins after it. */
  readonly isWhole: boolean
}

export interface FoundDeposit extends Deposit {
  readonly walletId: WalletId
}

/** New values for a task. A key that is left out stays as it is. */
export interface TaskChange {
  readonly status?: Status
  readonly retryCount?: number
  readonly errorMessage?: string | null
  /** The message too, and nothing else of v1.1's: `updated_at` tells when an order was last worked on. */
  readonly waiting?: string | null
  readonly completedAtMs?: number
  readonly nextActionAtMs?: number | null
  /** Why the mint server refused, kept to tell one task's fault from everybody's. */
  readonly refusal?: string
  readonly stalledSinceMs?: number | null
  readonly limitedSinceMs?: number | null
}

/** What names a mint among those of one token to one person, for ever: see `Mint` of the chain. */
export interface MintId {
  readonly tx: Bytes32
  readonly part: number
}

export const mintKey = ({ tx, part }: MintId): string => `${tx}:${part}`

/** Where on chain a transfer is. */
export const placeKey = ({ tx, logIndex }: { readonly tx: Bytes32; readonly logIndex: number }): string =>
  `${tx}:${logIndex}`

/** Whose mints they are. */
export type MintsOf = Pick<Batch, "token" | "recipient">

/** A mint on chain, as the mint of this ordinal of the task. A mint belongs to one batch for ever. */
export interface DeliveredMint extends MintId {
  readonly logIndex: number
  readonly mintNumber: number
  /** Where it is known: tells which mints a reorganisation concerns. */
  readonly block?: bigint | undefined
}

/** A mint and whose it is. */
export const mintRowKey = ({ token, recipient }: MintsOf, mint: MintId): string =>
  `${token}/${recipient}/${mintKey(mint)}`

/** What was recorded in blocks above a fork. */
export interface RecordedAbove {
  /** Batches whose payment was proven there, in any state. */
  readonly payments: ReadonlyArray<{ readonly batch: Batch; readonly isCompleted: boolean }>
  /** Paid ones. */
  readonly refunds: ReadonlyArray<Refund>
  readonly deposits: ReadonlyArray<UnspentDeposit & { readonly walletId: WalletId }>
  /** Batches with mints there, and these mints. */
  readonly minted: ReadonlyArray<{ readonly batch: Batch; readonly mints: ReadonlyArray<MintId> }>
}

/** A recorded deposit that no node shows any more, with what its wallet holds by the same nodes. */
export interface GoneDeposit extends FoundDeposit {
  readonly balance: Usdc
}

export interface BatchSave {
  /** As it was read: the row is changed only if it still has this version. */
  readonly before: Batch
  readonly after: Batch
  /** Where given: nothing is saved unless this task still has its status and is not held. */
  readonly onlyFor?: Task
  readonly mints?: ReadonlyArray<DeliveredMint>
  /** The mints that the batch has are not on chain any more: they belong to it no longer, and the order counts anew. */
  readonly withdrawsMints?: boolean
  /** With mints that it waited for, a hold of the task whose reason begins with this ends. */
  readonly endsHold?: string
  /** Done with the batch if the task still has the expected status. */
  readonly task?: { readonly expected: Task; readonly change: TaskChange }
}

/**
 * The ledger of orders, and the only writer of them. Every update carries the state that it expects: `Outrun`,
 * or a missing id, says that another writer was first and nothing was done. Times are parameters.
 * What is written together is one transaction.
 */
export class TaskRepo extends Context.Service<
  TaskRepo,
  {
    /** Pending tasks that are not held, by wallet: all those of up to `walletsMax` wallets after `cursor`. */
    readonly pendingPage: (page: PageAsked) => Effect.Effect<PendingPage, LedgerError>
    /** The agent address of each pending task that is not held, of wallets of these ranges: of `limit` such tasks at most. */
    readonly pendingAddresses: (
      limit: number,
      ranges: ReadonlyArray<WalletRange>
    ) => Effect.Effect<ReadonlyArray<Address>, LedgerError>
    /** Pending tasks that are not held, by wallet: those of the wallets of these ranges that have these agent addresses. */
    readonly pendingAt: (
      addresses: ReadonlyArray<Address>,
      ranges: ReadonlyArray<WalletRange>
    ) => Effect.Effect<ReadonlyArray<WalletOrders>, LedgerError>
    /** Wallets that had orders and have none that wait for money: their money may move all the same. `pending` is empty. */
    readonly idlePage: (page: PageAsked) => Effect.Effect<PendingPage, LedgerError>
    /**
     * Adds deposits to the history and to the books. A deposit is its transaction, wallet, sender and amount, as often as
     * the transaction has it: found again, in another block or under another index, it counts once. Gives the new ones.
     * No look from before the newest of them counts any more. Books are opened only with a balance that is not older
     * than the last payment and the last deposit.
     */
    readonly recordDeposits: (
      found: ReadonlyArray<FoundDeposit>,
      counted: ReadonlyArray<CountedWallet>,
      block: Block
    ) => Effect.Effect<ReadonlyArray<FoundDeposit>, LedgerError>
    /** Deposits of these wallets with something left, oldest first. */
    readonly unspentDeposits: (
      walletIds: ReadonlyArray<WalletId>
    ) => Effect.Effect<ReadonlyArray<UnspentDeposit & { readonly walletId: WalletId }>, LedgerError>
    /** Writes down what became of pay-ins that are still live. Gives the orders of those that were. */
    readonly savePayIns: (payIns: ReadonlyArray<PayIn>) => Effect.Effect<ReadonlyArray<TaskId>, LedgerError>
    /** Stops a wallet whose sums do not add up, if nothing moved its money since it was read. */
    readonly stopWallet: (
      stop: { readonly walletId: WalletId; readonly version: bigint; readonly reason: string },
      nowMs: number
    ) => Effect.Effect<void, LedgerError | Outrun>
    /**
     * Notes user and agent address of wallets that are seen for the first time, and stops wallets whose row says something
     * else than was noted of it, or that share an agent address. Gives those that were stopped.
     */
    readonly checkWallets: (nowMs: number) => Effect.Effect<ReadonlyArray<StoppedWallet>, LedgerError>
    /** Which of these EIP-3009 nonces are a batch's or a refund's of this ledger. */
    readonly knownNonces: (nonces: ReadonlyArray<Bytes32>) => Effect.Effect<ReadonlySet<Bytes32>, LedgerError>
    /**
     * `pending_payment → funded`, reserving the cost, for those that are not held, whose wallet is as it was, and whose
     * block is new enough.
     */
    readonly fund: (
      fundings: ReadonlyArray<Funding>,
      block: Block,
      nowMs: number
    ) => Effect.Effect<ReadonlyArray<TaskId>, LedgerError>
    /** `pending_payment → cancelled`, under the same conditions. */
    readonly cancel: (
      cancellations: ReadonlyArray<Cancellation>,
      block: Block,
      nowMs: number
    ) => Effect.Effect<ReadonlyArray<TaskId>, LedgerError>
    /** Sets tasks aside with a reason. Returns those that were not held before. */
    readonly hold: (
      tasks: ReadonlyArray<BadTask>,
      nowMs: number,
      options?: HoldOptions
    ) => Effect.Effect<ReadonlyArray<TaskId>, LedgerError>
    /** Orders that are held because of the key of their wallet, `limit` at most, the longest held first. */
    readonly heldForKeys: (limit: number) => Effect.Effect<ReadonlyArray<HeldForKey>, LedgerError>
    /** Ends the holds of tasks that are still held for this very reason. Gives those that were. */
    readonly endHolds: (
      holds: ReadonlyArray<BadTask>,
      nowMs: number
    ) => Effect.Effect<ReadonlyArray<TaskId>, LedgerError>
    /** Orders whose row does not say that a pause keeps them waiting, or says so still, `limit` at most. */
    readonly unnotedPauses: (limit: number) => Effect.Effect<ReadonlyArray<{ readonly taskId: TaskId }>, LedgerError>
    /** Lets those rows say what they should by then, and leaves their `updated_at`. Gives those that were written. */
    readonly notePauses: (taskIds: ReadonlyArray<TaskId>) => Effect.Effect<ReadonlyArray<TaskId>, LedgerError>
    /** Some of the newest and of the oldest wallets, `count` at most: enough to tell whether the key is theirs. */
    readonly sampleWallets: (count: number) => Effect.Effect<ReadonlyArray<Wallet>, LedgerError>
    /** Wallets of these ranges (every wallet where none are given) that have something to do by now, the longest overdue first. */
    readonly dueWallets: (
      nowMs: number,
      limit: number,
      ranges?: ReadonlyArray<WalletRange>
    ) => Effect.Effect<ReadonlyArray<WalletId>, LedgerError>
    readonly walletWork: (walletId: WalletId) => Effect.Effect<WalletWork, LedgerError>
    /**
     * `funded → processing` with all batches of the task, if it is not held, its wallet is not stopped and no mint of it
     * was counted since it was read; resets its refusals.
     */
    readonly plan: (
      task: Task,
      batches: ReadonlyArray<Batch>,
      nowMs: number
    ) => Effect.Effect<void, LedgerError | Outrun>
    /**
     * One step of a batch, with what follows from it: counters, mint records, the task's own change. It is not signed
     * while its wallet is stopped, or it is paused.
     */
    readonly saveBatch: (save: BatchSave, nowMs: number) => Effect.Effect<void, LedgerError | Outrun>
    /**
     * One step of a refund. With the step that proves what left the wallet, it leaves the books too. It is not signed while
     * its wallet is stopped or paused.
     */
    readonly saveRefund: (
      save: { readonly before: Refund; readonly after: Refund },
      nowMs: number
    ) => Effect.Effect<void, LedgerError | Outrun>
    /**
     * A change of a task that is still in the expected status and not held. It completes only when every mint is counted and every
     * batch delivered or resolved, and fails only when none of its batches is in flight: signed and unproven, or paid and undelivered.
     */
    readonly saveTask: (expected: Task, change: TaskChange, nowMs: number) => Effect.Effect<void, LedgerError | Outrun>
    /** Which of these mints of one token to one person already belong to a batch, as `mintKey` names them. */
    readonly attributedMints: (
      of: MintsOf,
      mints: ReadonlyArray<MintId>
    ) => Effect.Effect<ReadonlySet<string>, LedgerError>
    /** A batch of this token that was paid before `beforeMs` and is still not delivered. */
    readonly undelivered: (token: Address, beforeMs: number) => Effect.Effect<Batch | undefined, LedgerError>
    /** How many wallets met this very refusal since then. */
    readonly walletsRefused: (reason: string, sinceMs: number) => Effect.Effect<number, LedgerError>
    /**
     * Notes which code USDC runs. Where it ran another one before, that one is given; and, where the look is sure,
     * everything is paused in the same transaction, with what changed as the reason: no payment is signed until a person
     * has looked. A look that is not sure changes nothing but what was not noted at all.
     */
    readonly noteUsdcCode: (
      look: CodeLook,
      nowMs: number
    ) => Effect.Effect<
      {
        readonly before: string | undefined
        /** What the database's clock says; `undefined` where it has none of its own. */
        readonly databaseMs: number | undefined
      },
      LedgerError
    >
    /** Blocks that were seen, newest first. */
    readonly anchors: Effect.Effect<ReadonlyArray<KeptAnchor>, LedgerError>
    /**
     * Blocks in which something was proven between two sweeps: the next one holds them against the chain, as a fork may
     * begin between its own.
     */
    readonly noteProofs: (blocks: ReadonlyArray<Anchor>) => Effect.Effect<void, LedgerError>
    /** Adds a block that a sweep saw, and forgets those that are not needed any more. */
    readonly addAnchor: (anchor: Anchor, superfluous: ReadonlyArray<bigint>) => Effect.Effect<void, LedgerError>
    readonly recordedAbove: (fork: bigint) => Effect.Effect<RecordedAbove, LedgerError>
    /**
     * What was looked at above the fork is looked at anew: cursors and the starts of searches go back to it, and books
     * that were opened above it are opened again. Pay-ins of waiting orders that were proven above it are live again. No decision is written that was made from what was read before.
     */
    readonly rewind: (fork: bigint) => Effect.Effect<void, LedgerError>
    /**
     * Takes deposits out of the history and the books, where the wallet really holds less than its books say. Their rows
     * stay: found again they are the same deposits. Gives those that were withdrawn.
     */
    readonly withdrawDeposits: (
      gone: ReadonlyArray<GoneDeposit>,
      nowMs: number
    ) => Effect.Effect<ReadonlyArray<GoneDeposit>, LedgerError>
    /** Forgets the blocks above the fork, and notes the reorganisation. */
    readonly endReorganisation: (
      at: { readonly fork: bigint; readonly block: bigint },
      nowMs: number
    ) => Effect.Effect<void, LedgerError>
    /** How many tasks are open, by status, held ones apart. */
    readonly openTasks: Effect.Effect<OpenTasks, LedgerError>
  }
>()("ai-mint-executor/ledger/TaskRepo") {}

/** The code that USDC was seen to run, and whether more than one look says so. */
export interface CodeLook {
  readonly code: string
  readonly isSure: boolean
}

/** Why everything is paused, for the person who has to look. */
export const codeChanged = (before: string, after: string): string =>
  `the code of USDC changed from ${before} to ${after}: look whether it still is what payments are signed for, ` +
  "then ai-mint resume accepts it"

/** Who paused, among the decisions of people: the program itself. */
export const CODE_DECISION = {
  command: "pause",
  said: "everything is paused by the executor",
  by: "the executor"
} as const

export interface OpenTasks {
  readonly pendingPayment: number
  readonly funded: number
  readonly processing: number
  readonly held: number
}
