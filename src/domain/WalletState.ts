import type { HeldOrder } from "./Allocation.ts"
import type { Batch } from "./Batch.ts"
import type { Block } from "./Block.ts"
import type { ExpectedBalance } from "./ExpectedBalance.ts"
import type { LimitUse } from "./Limit.ts"
import type { PayIn } from "./PayIn.ts"
import type { Refund } from "./Refund.ts"
import type { Task, TaskId } from "./Task.ts"
import type { Usdc } from "./Usdc.ts"
import type { Wallet, WalletId } from "./Wallet.ts"

/** A row that is no order, or whose wallet cannot be used. It waits for a person, and costs nothing. */
export interface BadTask {
  readonly taskId: TaskId
  readonly reason: string
}

/** What a wallet owes and is asked for, read in one statement. */
export interface WalletOrders {
  readonly wallet: Wallet
  /** Goes up with everything that reserves or releases money of the wallet. */
  readonly version: bigint
  /** The last block in which money of this wallet is known to have moved: an older balance counts for nothing. */
  readonly provenBlock: bigint
  readonly reserved: Usdc
  /** The part of `reserved` that may have left the wallet already. */
  readonly maybeSpent: Usdc
  /** The part of that which orders of another program may have spent: nothing of ours is signed for it. */
  readonly foreign: Usdc
  /** `undefined` until they are opened, with the first look at the chain. */
  readonly books: ExpectedBalance | undefined
  /** v1.1 may still pay from this wallet, and no ledger records what it pays. */
  readonly isShared: boolean
  /** Why nothing new is done with this wallet: it was stopped, or its row is not what it was when it was first seen. */
  readonly stopped: string | undefined
  /** Another row with its agent address: while there is one, no stop of this wallet ends. */
  readonly twin: WalletId | undefined
  /** Tasks that wait for money, oldest first. */
  readonly pending: ReadonlyArray<Task>
  /** Those that are held: they are neither funded nor cancelled, and keep what was paid for them. */
  readonly held: ReadonlyArray<HeldOrder>
  /** Of those orders that their client pays for, while that says something about the order: live and settled ones. */
  readonly payIns: ReadonlyArray<PayIn>
}

/** Everything that is to be done for one wallet. */
export interface WalletWork {
  /** `undefined` where there is no such wallet or its row cannot be read: all its tasks are then bad. */
  readonly wallet: Wallet | undefined
  /** The last block in which money of this wallet is known to have moved: an older balance counts for nothing. */
  readonly provenBlock: bigint
  /** Money that this program has reserved: not the cost of `funded` rows of another's making. */
  readonly reserved: Usdc
  readonly maybeSpent: Usdc
  /** `funded` and `processing`, not held, oldest first. */
  readonly tasks: ReadonlyArray<Task>
  /** All batches of those tasks, and the batches in flight of any other task of the wallet; by task, then number. */
  readonly batches: ReadonlyArray<Batch>
  /** Those of these batches' tasks that are held. */
  readonly held: ReadonlySet<TaskId>
  /** Orders that were completed before their payment left the chain, with a batch in flight. */
  readonly completed: ReadonlySet<TaskId>
  /** Refunds that are not paid yet, oldest first. */
  readonly refunds: ReadonlyArray<Refund>
  /** Why nothing new is done with this wallet: it is stopped, or paused. What is on its way is looked after. */
  readonly stopped: string | undefined
  /** Tokens for which nothing new is paid, and why. */
  readonly pausedTokens: ReadonlyMap<string, string>
  /** Limits that may cover its planned batches, and what is used of them. */
  readonly limits: ReadonlyArray<LimitUse>
  readonly bad: ReadonlyArray<BadTask>
}

/** Work of a wallet whose row is sound: it can be planned and paid, and what is in flight looked after. */
export interface OpenWork extends WalletWork {
  readonly wallet: Wallet
}

export const withWallet = (work: WalletWork): OpenWork | undefined =>
  work.wallet === undefined ? undefined : { ...work, wallet: work.wallet }

/**
 * Whether a block is older than the last one in which money of the wallet is known to have moved. What a node shows of the
 * wallet in such a block proves nothing: money that has left is still there.
 */
export const isOutdated = (block: Block, { provenBlock }: Pick<WalletOrders, "provenBlock">): boolean =>
  block.number < provenBlock
