import { Context, Effect, Runtime, Schema } from "effect"
import type { Address, Bytes32 } from "../domain/Address.ts"
import type { AuthorizationOutcome, SignedAuthorization } from "../domain/Authorization.ts"
import type { Block } from "../domain/Block.ts"
import type { Deposit } from "../domain/Deposit.ts"
import type { Usdc } from "../domain/Usdc.ts"
import type { UsdcState } from "../domain/UsdcState.ts"

/**
 * Why the chain gave no usable answer.
 *
 * - `RateLimited`: 429, or a provider's own error for it.
 * - `Unavailable`: refused, reset, DNS, 5xx: no node of the list answered.
 * - `Timeout`: no answer within `RPC_TIMEOUT`.
 * - `Lagging`: the node is behind a block that we have seen: its answers prove nothing.
 * - `Reverted`: the contract refused the call.
 * - `MaybeSent`: a transaction left and no answer came back; look it up, never send anew.
 * - `Rejected`: the node understood and said no (bad request, method unknown).
 * - `TooLarge`: the node gives fewer blocks, logs or bytes at a time than were asked for.
 * - `Unreadable`: an answer that is not of the expected shape.
 * - `Doubtful`: an answer that holds what was not asked for, or that contradicts itself or the node's own words.
 */
export const ChainErrorReason = Schema.Literals([
  "RateLimited",
  "Unavailable",
  "Timeout",
  "Lagging",
  "Reverted",
  "MaybeSent",
  "Rejected",
  "TooLarge",
  "Unreadable",
  "Doubtful"
])
export type ChainErrorReason = typeof ChainErrorReason.Type

export class ChainError extends Schema.TaggedError<ChainError>()("ChainError", {
  reason: ChainErrorReason,
  /** What was asked, in words: `read balances`. */
  operation: Schema.String,
  /** What came back, without URL paths, keys or bodies that may carry them. */
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.operation}: ${this.reason} (${this.detail})`
  }
  /** Whether the same read may succeed later with nothing else changed. */
  get isRetryable(): boolean {
    return this.reason !== "Reverted" && this.reason !== "MaybeSent"
  }
}

/** The chain, the USDC contract or the list of URLs is not what the settings say. The executor must not start. */
export class WrongChain extends Schema.TaggedError<WrongChain>()("WrongChain", { message: Schema.String }) {
  /** `EX_CONFIG`: pm2 does not restart what the same settings would only stop again. */
  override readonly [Runtime.errorExitCode] = 78
}

export interface Balances {
  readonly block: Block
  /** One entry for each wallet that was asked for. */
  readonly usdc: ReadonlyMap<Address, Usdc>
  /** Whether USDC was paused in that block. */
  readonly isPaused: boolean
  /** What became by then of the payments that were asked about, in that order. */
  readonly outcomes: ReadonlyArray<AuthorizationOutcome>
}

/** The events of tokens that are mints: `mintEvents.ts`. */
export const MINT_EVENTS = [
  "TokensMinted",
  "Transfer",
  "TransferSingle",
  "TransferBatch",
  "ConsecutiveTransfer"
] as const
export type MintEvent = (typeof MINT_EVENTS)[number]

/**
 * One mint of a token to a person. Transaction and part name it for ever: mints of one transaction, token and person
 * are interchangeable, only their number counts.
 */
export interface Mint {
  readonly tx: Bytes32
  /** 0 for the first mint of its token to its person in the transaction, 1 for the next one. */
  readonly part: number
  /** Of the event that logged it, by the node that answered: for people, as nodes differ in it. */
  readonly logIndex: number
  readonly event?: MintEvent
  readonly block: bigint
  /** `undefined` where the node left it out. */
  readonly blockHash?: Bytes32 | undefined
}

/** How a transaction that is in a block ended. One that was reverted did nothing. */
export type Mined = "succeeded" | "reverted"

/** USDC that left a wallet. */
export interface Spending {
  readonly wallet: Address
  readonly to: Address
  readonly amount: Usdc
  readonly tx: Bytes32
  readonly logIndex: number
  readonly block: bigint
  /** The EIP-3009 nonce that it was paid with; `undefined` where the wallet sent it in another way. */
  readonly nonce: Bytes32 | undefined
}

/** USDC transfers of some wallets, between two blocks (inclusive). */
export interface TransferQuery {
  readonly wallets: ReadonlyArray<Address>
  readonly fromBlock: bigint
  readonly toBlock: bigint
  /**
   * By wallet: so much USDC must have moved in this range, as balances say. A node that gives no log of it
   * proves nothing: where its logs come to less for a wallet, the other nodes are asked for that wallet, and the
   * largest answer counts. Where that is still less, no node explains it, which is an incident.
   */
  readonly atLeast?: ReadonlyMap<Address, Usdc> | undefined
}

/** How one RPC endpoint is. */
export interface NodeHealth {
  /** Host and port. */
  readonly host: string
  /** Its newest block, and the time of that block; `undefined` where it gave none. */
  readonly head: bigint | undefined
  readonly headTimeMs: number | undefined
  readonly tookMs: number
  /** Why it gave none, without anything secret. */
  readonly problem: string | undefined
}

/** How one WebSocket endpoint is. */
export interface SubscriptionHealth {
  /** Host and port. */
  readonly host: string
  /** `unused`: nothing waits for a block, and there is no connection. `down`: also while it is tried again. */
  readonly stage: "unused" | "connecting" | "live" | "down"
  /** The block that it announced last, and when. */
  readonly head: bigint | undefined
  readonly heardAtMs: number | undefined
  /** Why it announces none, without anything secret: from the first fault to the next block. */
  readonly problem: string | undefined
}

/** A nonce to look up. `fromBlock` bounds the search of the logs: nothing was signed before it. */
export interface AuthorizationQuery {
  readonly payer: Address
  readonly nonce: Bytes32
  readonly fromBlock: bigint
  /** What was signed with it, where that is known: finds its transfer among several of one transaction. */
  readonly expected?: { readonly to: Address; readonly value: Usdc } | undefined
}

/**
 * Runs after each call to a node, answered or not, in the fiber that made it. One read may be thousands of calls (logs,
 * page by page): a loop that is monitored must show that it makes progress.
 */
export const AfterRpcCall = Context.Reference<Effect.Effect<void>>("ai-mint-executor/chain/ChainClient/AfterRpcCall", {
  defaultValue: () => Effect.void
})

/** Reads from the list of nodes as one, and from single nodes where one alone must not be believed. */
export interface Reads {
  /** Hashes of blocks, in the order asked. */
  readonly readHashes: (blocks: ReadonlyArray<bigint>) => Effect.Effect<ReadonlyArray<Bytes32>, ChainError>
  /**
   * USDC of many wallets, and what became of payments into them, all in the same block. One of which the logs cannot be
   * read now is `Unexplained`.
   */
  readonly readBalances: (
    wallets: ReadonlyArray<Address>,
    payments?: ReadonlyArray<AuthorizationQuery>
  ) => Effect.Effect<Balances, ChainError>
  /** What became of nonces, in the order asked, and whether USDC moves and `parties` may move it, all in one block. */
  readonly readAuthorizations: (
    queries: ReadonlyArray<AuthorizationQuery>,
    parties?: ReadonlyArray<Address>
  ) => Effect.Effect<
    { readonly block: Block; readonly outcomes: ReadonlyArray<AuthorizationOutcome>; readonly usdc: UsdcState },
    ChainError
  >
  /**
   * Mints of `token` to `recipient` from `fromBlock` (inclusive) to the confirmed block, oldest first. `portion`: base
   * units in one mint of an ERC-20; without it each of its events is one mint.
   */
  readonly findMints: (query: {
    readonly token: Address
    readonly recipient: Address
    readonly fromBlock: bigint
    /** Every node is asked, and the fullest answer counts. */
    readonly everywhere?: boolean
    readonly portion?: bigint | undefined
  }) => Effect.Effect<ReadonlyArray<Mint>, ChainError>
  /** USDC transfers into any of `wallets` between two blocks (inclusive), oldest first. */
  readonly findDeposits: (query: TransferQuery) => Effect.Effect<ReadonlyArray<Deposit>, ChainError>
}

/** A single node. */
export interface Witness extends Reads {
  /** Host and port. */
  readonly host: string
}

/**
 * The chain as the executor needs it. Every read is of the newest block that has `CONFIRMATIONS` blocks (its own
 * included), or of logs up to that block; a node that is behind a block seen before fails with `Lagging`.
 * Many rows are one call: no method is to be called in a loop over tasks.
 */
export class ChainClient extends Context.Service<
  ChainClient,
  Reads & {
    /** Hash of block 0: tells one sandbox chain from the next. */
    readonly genesis: Bytes32
    /**
     * The state of each endpoint of the list, all asked at once and within 3 s. For people: it decides nothing about
     * money.
     */
    readonly nodes: Effect.Effect<ReadonlyArray<NodeHealth>>
    /**
     * Each node of the list by itself, answering from `block`, not from the newest one that counts: for what must not be
     * believed of one node alone.
     */
    readonly witnesses: (block: bigint) => Effect.Effect<ReadonlyArray<Witness>>
    /** The newest block that counts, as of a moment ago. */
    readonly confirmedBlock: Effect.Effect<Block, ChainError>
    /** The same, asked anew: for what has to be in sight of a later block because it has happened by now. */
    readonly confirmedBlockNow: Effect.Effect<Block, ChainError>
    /**
     * The code that USDC runs: the address behind its proxy, `none` where it is no proxy. What a payment does follows
     * from that code.
     */
    readonly usdcCode: Effect.Effect<string, ChainError>
    /** The same by each node that answers: they may disagree. */
    readonly usdcCodes: Effect.Effect<ReadonlyArray<string>, ChainError>
    /** Whether USDC moves and `parties` may move it, in the newest block, whether it counts already or not. */
    readonly usdcState: (parties: ReadonlyArray<Address>) => Effect.Effect<UsdcState, ChainError>
    /** Each WebSocket endpoint, in the order of the list. */
    readonly subscriptions: Effect.Effect<ReadonlyArray<SubscriptionHealth>>
    /**
     * Waits until there may be a block that `newHead` has not given yet: for the announcement of one, where an endpoint
     * announces them, and for about as long as a block takes.
     */
    readonly nextHead: Effect.Effect<void>
    /** The number of the newest block, asked anew. It decides nothing: it says only that there may be something new. */
    readonly newHead: Effect.Effect<bigint, ChainError>
    /** Which accounts got USDC between two blocks (inclusive): of these wallets, or all where none are named. */
    readonly findPaid: (query: {
      readonly wallets: ReadonlyArray<Address> | undefined
      readonly fromBlock: bigint
      readonly toBlock: bigint
    }) => Effect.Effect<ReadonlySet<Address>, ChainError>
    /** How many mints the token still allows; `undefined` where the token states no limit. */
    readonly readRemainingSupply: (token: Address) => Effect.Effect<bigint | undefined, ChainError>
    /**
     * Base units of the token in one mint: `MINT_AMOUNT()` or `mintAmount()`, else the one in `MINT_PORTIONS`;
     * `undefined` where there is none.
     */
    readonly readPortion: (token: Address) => Effect.Effect<bigint | undefined, ChainError>
    /**
     * Of these transactions, those that are in a block that counts, and whether they succeeded. One that is missing may
     * be on its way, or unknown to the node that was asked.
     */
    readonly readMined: (txs: ReadonlyArray<Bytes32>) => Effect.Effect<ReadonlyMap<Bytes32, Mined>, ChainError>
    /** USDC transfers out of any of `wallets` between two blocks (inclusive), oldest first. */
    readonly findSpending: (query: TransferQuery) => Effect.Effect<ReadonlyArray<Spending>, ChainError>
    /** USDC that went from `payer` to `payTo` since `sinceMs` (chain time), up to the confirmed block. */
    readonly paidSince: (query: {
      readonly payer: Address
      readonly payTo: Address
      readonly sinceMs: number
    }) => Effect.Effect<Usdc, ChainError>
    /**
     * The code of an account, now; `undefined` where it has none. An agent wallet that has some (EIP-7702) is asked for
     * its signature, where a plain account's is computed.
     */
    readonly codeOf: (account: Address) => Effect.Effect<`0x${string}` | undefined, ChainError>
    /** The AI Agent Account, which pays the gas of refunds; `undefined` without `AI_AGENT_PRIVATE_KEY`. */
    readonly gasAccount: Address | undefined
    /** Its gas money, in wei. */
    readonly gasBalance: Effect.Effect<bigint, ChainError>
    /**
     * Sends `transferWithAuthorization` to USDC, by the gas account. Gives the transaction and does not wait for it;
     * after a failure too it may be on its way: the nonce of the authorization shows it.
     */
    readonly sendTransfer: (payment: SignedAuthorization) => Effect.Effect<Bytes32, ChainError>
  }
>()("ai-mint-executor/chain/ChainClient") {}
