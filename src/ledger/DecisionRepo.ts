import { Context, type Effect } from "effect"
import type { Address } from "../domain/Address.ts"
import type { Batch } from "../domain/Batch.ts"
import type { Block } from "../domain/Block.ts"
import type { ExpectedBalance } from "../domain/ExpectedBalance.ts"
import type { Deposit, DepositUse } from "../domain/Deposit.ts"
import type { Limit, LimitScope, LimitState } from "../domain/Limit.ts"
import type { PayIn, PayInName } from "../domain/PayIn.ts"
import type { KeyId } from "../domain/Key.ts"
import type { Quote, QuoteId } from "../domain/Quote.ts"
import type { Refund } from "../domain/Refund.ts"
import type { Task, TaskId, TaskRow } from "../domain/Task.ts"
import type { Usdc } from "../domain/Usdc.ts"
import type { Wallet, WalletId } from "../domain/Wallet.ts"
import type { WalletOrders } from "../domain/WalletState.ts"
import type { Cancellation, DeliveredMint, LedgerError, MintId, Outrun } from "./TaskRepo.ts"

/** What a person decided, why, and who it was: kept for ever, in the transaction of the decision. */
export interface Decision {
  /** The command, as it is typed: `resolve`. */
  readonly command: string
  /** What it decided, in words: `batch 2 is delivered`. */
  readonly said: string
  /** The person's own words. */
  readonly why: string
  /** By what the decision came, and the name that was given: `alice with OPS_TOKEN from 10.0.0.7`. */
  readonly by: string
  /** The key that it was made with, where it was one. */
  readonly keyId?: KeyId | undefined
}

/** All that the ledger knows of one task. */
export interface TaskFile {
  /** The row as it is stored, sound or not. */
  readonly row: TaskRow
  /** `undefined` where there is no such wallet or its row cannot be read. */
  readonly wallet: Wallet | undefined
  /** `undefined` where the row cannot be carried out; `faults` says why. */
  readonly task: Task | undefined
  readonly faults: ReadonlyArray<string>
  /** Why it waits for a person. */
  readonly held: string | undefined
  readonly batches: ReadonlyArray<Batch>
}

/** A mint on chain that belongs to a batch. */
export interface AttributedMint extends MintId {
  readonly taskId: TaskId
  readonly batchNumber: number
}

/** What a wallet paid and got, all of one moment, for an audit against the chain. */
export interface Account {
  readonly wallet: Wallet
  /** The block in which its books were opened: what moved before it is in their opening balance. */
  readonly openedBlock: bigint | undefined
  readonly books: ExpectedBalance | undefined
  readonly stopped: string | undefined
  /** v1.1 may still pay from this wallet: no ledger records what it pays. */
  readonly isShared: boolean
  /** Its batches, by task and number. */
  readonly batches: ReadonlyArray<Batch>
  readonly mints: ReadonlyArray<AttributedMint>
  readonly refunds: ReadonlyArray<Refund>
  readonly deposits: ReadonlyArray<Deposit>
}

export interface AccountPage {
  readonly accounts: ReadonlyArray<Account>
  /** Pass it on to read the next page; `undefined` after the last one. */
  readonly cursor: WalletId | undefined
}

/** What names a task and its wallet. */
type TaskOfWallet = Pick<TaskRow, "id" | "walletId">

export interface BatchResolution {
  /** As it was read, `held` or `paid`: the row is changed only if it still has this version. */
  readonly before: Batch
  /** `resolved`, or `planned` where it is paid for after all. Mints that it has beyond the known and the given ones are there by the person's word alone. */
  readonly after: Batch
  /** Mints on chain that the decision gives to the batch. */
  readonly mints: ReadonlyArray<DeliveredMint>
  /** Mints on chain that are of no order of this ledger: they belong to no batch from now on. */
  readonly strays?: ReadonlyArray<MintId>
  /** Buys the same mints again under a nonce of its own. */
  readonly replacement: Batch | undefined
  /** Where a replacement reserves money: the wallet when that was found to be free. */
  readonly evidence?: { readonly version: bigint; readonly block: Block } | undefined
  /** The task ends with it: nothing more is minted, and the rest of its money is free. */
  readonly failure: string | undefined
}

/** For what no new payment is made, while what is on its way is followed to its end. */
export type PauseScope = "all" | `token:${Address}` | `wallet:${WalletId}`

export interface Pause {
  readonly scope: PauseScope
  readonly reason: string
  readonly sinceMs: number
}

/** A row of `ai_agent_wallets` that a name fits. */
export interface NamedWallet {
  readonly id: WalletId
  /** `undefined` where the row cannot be read. */
  readonly wallet: Wallet | undefined
}

/** What a person has seen of a wallet whose stop ends. */
export interface Opening {
  readonly walletId: WalletId
  readonly balance: Usdc
  readonly version: bigint
  readonly seen: Pick<Wallet, "userAddress" | "agentAddress">
}

/** An order that a person places by command. */
export interface NewOrder {
  readonly id: TaskId
  readonly wallet: Wallet
  readonly token: Address
  readonly quantity: number
  readonly pricePerMint: Usdc
  /** The quote that it is placed with. */
  readonly quoteId?: QuoteId | undefined
}

/** An order that is placed together with its client's payment. */
export interface NewPaidOrder extends NewOrder {
  /** The client's own name of the payment (extension `payment-identifier` of x402): a key has one payment of each name. */
  readonly paymentIdentifier?: string | undefined
}

/** What a client of this key called a payment. Those without a key count as one. */
export interface PaymentIdentifier {
  readonly keyId: KeyId | undefined
  readonly identifier: string
}

/** An order that its client pays for, and what the payer signed it for: a request for anything else is another one. */
export interface PaidOrder {
  readonly payIn: PayIn
  readonly token: Address
  readonly quantity: number
  /** The person, who gets the tokens. */
  readonly recipient: Address
}

/**
 * The ledger as people change it: every write is a compare-and-set like the executor's, and leaves a record of who
 * decided what and why. Safe beside a running executor.
 */
export class DecisionRepo extends Context.Service<
  DecisionRepo,
  {
    /** Tasks whose id begins with this text, any case: the log names them by the first eight digits. At most three. */
    readonly taskIdsLike: (start: string) => Effect.Effect<ReadonlyArray<TaskId>, LedgerError>
    readonly findTask: (id: TaskId) => Effect.Effect<TaskFile | undefined, LedgerError>
    /** By `ai_agent_wallets.id`, by the user's address or by the wallet's own, in any case: all that the name fits, three at most. */
    readonly findWallets: (name: string) => Effect.Effect<ReadonlyArray<NamedWallet>, LedgerError>
    /** What the wallet owes and is asked for, with orders that wait for money or without. */
    readonly walletOrders: (walletId: WalletId) => Effect.Effect<WalletOrders | undefined, LedgerError>
    /** `pending_payment → cancelled`, for a held task too, if the wallet is as it was and the block new enough. */
    readonly cancel: (
      cancellation: Cancellation,
      block: Block,
      decision: Decision,
      nowMs: number
    ) => Effect.Effect<void, LedgerError | Outrun>
    /**
     * `failed → funded`, reserving what is left of its cost, under the same conditions; with no batch in flight or held,
     * and not for a stopped wallet.
     */
    readonly retry: (
      retried: { readonly task: Task; readonly version: bigint },
      block: Block,
      decision: Decision,
      nowMs: number
    ) => Effect.Effect<void, LedgerError | Outrun>
    /**
     * Ends the hold of a task that has no held batch, with its refusals counted from zero, and the sends of its paid
     * batches: the mint server is asked for their mints anew. `adopt` takes over a row of
     * v1.1, held or not and without a batch, with so many of its mints counted; no further questions are asked of it.
     */
    readonly release: (
      released: { readonly task: TaskOfWallet; readonly adopt?: { readonly mintsCompleted: number } },
      decision: Decision,
      nowMs: number
    ) => Effect.Effect<void, LedgerError | Outrun>
    /** A task that is funded or processing, held or not, fails, if none of its batches is in flight. */
    readonly fail: (
      failed: { readonly task: TaskOfWallet; readonly failure: string },
      decision: Decision,
      nowMs: number
    ) => Effect.Effect<void, LedgerError | Outrun>
    /**
     * What a person decided about a batch that is held, or paid and not delivered. The task's hold ends with it where no
     * other batch of it is held. With `failure` nothing is done while another batch of the task is in flight.
     */
    readonly resolveBatch: (
      resolution: BatchResolution,
      decision: Decision,
      nowMs: number
    ) => Effect.Effect<void, LedgerError | Outrun>
    /** Writes a refund down and reserves its money, if the wallet is as it was, not stopped, and the block new enough. */
    readonly askRefund: (
      refund: Refund,
      evidence: { readonly version: bigint; readonly uses: ReadonlyArray<DepositUse> },
      block: Block,
      decision: Decision
    ) => Effect.Effect<void, LedgerError | Outrun>
    /** Refunds of a wallet, newest first, at most a hundred. */
    readonly refundsOf: (walletId: WalletId) => Effect.Effect<ReadonlyArray<Refund>, LedgerError>
    /**
     * Gives up a refund that still has the version of `before` and is not signed: what it reserved is free, and the deposits
     * that it took have it back.
     */
    readonly withdrawRefund: (
      withdrawal: { readonly before: Refund; readonly after: Refund },
      decision: Decision,
      nowMs: number
    ) => Effect.Effect<void, LedgerError | Outrun>
    /**
     * Ends the stop of a wallet: its books begin anew with what the chain shows in this block, and it is that of the user
     * and the account that the person has seen.
     */
    readonly reopenBooks: (
      opening: Opening,
      block: Block,
      decision: Decision,
      nowMs: number
    ) => Effect.Effect<void, LedgerError | Outrun>
    /** Writes down what was asked for an order. `false` where the key has too many quotes that it did not use. */
    readonly saveQuote: (quote: Quote) => Effect.Effect<boolean, LedgerError>
    readonly findQuote: (id: QuoteId) => Effect.Effect<Quote | undefined, LedgerError>
    /** Writes a new agent wallet down. `Outrun` where its user has one, or is one. */
    readonly createWallet: (
      wallet: Wallet,
      decision: Decision,
      nowMs: number
    ) => Effect.Effect<void, LedgerError | Outrun>
    /**
     * Writes an order down. `Outrun` where there is one with this id already, or its quote was used or has expired
     * meanwhile.
     */
    readonly createTask: (
      order: NewOrder,
      decision: Decision,
      nowMs: number
    ) => Effect.Effect<void, LedgerError | Outrun>
    /**
     * Writes an order down together with the pay-in that pays for it. `Outrun` where there is one with this id already, or
     * a pay-in of this payer and nonce or of this key and identifier, for this order or another one: then nothing is written.
     * No decision about the wallet is written that was made from a look before it: the money that was seen since may be
     * this order's.
     */
    readonly placePaidOrder: (
      order: NewPaidOrder,
      payIn: PayIn,
      decision: Decision,
      nowMs: number
    ) => Effect.Effect<void, LedgerError | Outrun>
    /** By the nonce in any case. */
    readonly findPayIn: (name: PayInName) => Effect.Effect<PaidOrder | undefined, LedgerError>
    readonly findPayInCalled: (name: PaymentIdentifier) => Effect.Effect<PaidOrder | undefined, LedgerError>
    /** Longest first. */
    readonly pauses: Effect.Effect<ReadonlyArray<Pause>, LedgerError>
    /**
     * No payment is signed for it once this is done: it waits for the claims that run at this very moment, and what those
     * signed is followed. `Outrun` where it is paused already.
     */
    readonly pause: (pause: Pause, decision: Decision) => Effect.Effect<void, LedgerError | Outrun>
    /** `Outrun` where it is not paused. */
    readonly resume: (scope: PauseScope, decision: Decision, nowMs: number) => Effect.Effect<void, LedgerError | Outrun>
    /** Each limit, and what of it was signed in the 24 hours until now. That of all payments comes first. */
    readonly limits: (nowMs: number) => Effect.Effect<ReadonlyArray<LimitState>, LedgerError>
    /**
     * No payment is signed beyond it once this is done: it waits for the claims that run at this very moment. Orders that
     * wait for a limit look again. `Outrun` where the limit is so already.
     */
    readonly setLimit: (limit: Limit, decision: Decision) => Effect.Effect<void, LedgerError | Outrun>
    /** `Outrun` where there is none. Orders that wait for a limit look again. */
    readonly removeLimit: (
      scope: LimitScope,
      decision: Decision,
      nowMs: number
    ) => Effect.Effect<void, LedgerError | Outrun>
    /** Accounts of all wallets, page by page. */
    readonly accounts: (page: {
      readonly cursor: WalletId | undefined
      readonly walletsMax: number
    }) => Effect.Effect<AccountPage, LedgerError>
    /** The first confirmed block that this ledger has seen: what is older is another program's. 0 where none is noted. */
    readonly firstBlock: Effect.Effect<bigint, LedgerError>
  }
>()("ai-mint-executor/ledger/DecisionRepo") {}
