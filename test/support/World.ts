import { Context, Effect, Layer } from "effect"
import { keccak256, toHex } from "viem"
import type { ChainError, Mint, Mined, SubscriptionHealth } from "../../src/chain/ChainClient.ts"
import type { PresentedPayment, Settlement, Verdict } from "../../src/chain/Facilitator.ts"
import { Settings } from "../../src/config/Settings.ts"
import { type Address, address, type Bytes32, ZERO } from "../../src/domain/Address.ts"
import type { Authorization, AuthorizationOutcome, SignedAuthorization } from "../../src/domain/Authorization.ts"
import type { Block } from "../../src/domain/Block.ts"
import type { Offer } from "../../src/domain/Offer.ts"
import { sum, type Usdc, usdc } from "../../src/domain/Usdc.ts"
import type { UsdcState } from "../../src/domain/UsdcState.ts"
import type { MintOrder, NoOffer, PaymentAnswer } from "../../src/mint/Minter.ts"

/** Seconds between blocks of this chain, as on Base. */
const BLOCK_MS = 2_000

interface Transfer {
  readonly from: Address
  readonly to: Address
  readonly amount: Usdc
  readonly tx: Bytes32
  readonly block: bigint
  /** Zero where left out. */
  readonly logIndex?: number
}

interface Spent {
  readonly outcome: AuthorizationOutcome
  readonly block: bigint
}

interface Minted extends Mint {
  readonly token: Address
  readonly recipient: Address
}

/** How the mint server treats a request. The default sells, settles, mints and says so. */
export interface ServerManners {
  quote?: (order: MintOrder) => NoOffer | undefined
  /** What it asks for `quantity` mints. */
  price?: (order: MintOrder) => Usdc
  /** Its offer, other than the default one. */
  offer?: (offer: Offer) => Offer
  pay?: (request: PaymentRequest) => PaymentAnswer | Effect.Effect<PaymentAnswer> | undefined
  /** What a request waits for before the server looks at it. */
  delay?: (request: "quote" | "pay", order: MintOrder) => Effect.Effect<void>
}

export interface PaymentRequest {
  readonly order: MintOrder
  readonly payment: SignedAuthorization
  /** Moves the money, if the authorization is good for this moment. */
  readonly settle: () => boolean
  readonly mint: (count: number) => ReadonlyArray<Bytes32>
}

/**
 * The outside world at its outermost boundary: a chain whose blocks come with the clock, USDC on it, and a mint
 * server. Tests decide its manners and read what happened.
 */
export class World extends Context.Service<World, WorldState>()("test/World") {
  static readonly layer = Layer.effect(
    World,
    Effect.map(Effect.all([Effect.clockWith(Effect.succeed), Settings]), ([clock, { confirmations }]) => {
      return new WorldState(() => clock.currentTimeMillisUnsafe(), confirmations)
    })
  )
}

export class WorldState {
  readonly manners: ServerManners = {}
  /** What the chain answers instead of the truth. */
  chainFault: ChainError | undefined
  /** What a question to the chain waits for, or fails with. */
  onChainCall: (call: string) => Effect.Effect<void, ChainError> = () => Effect.void
  /** A node that shows other blocks than the chain has. */
  onHash: ((block: bigint, host: string) => Bytes32 | undefined) | undefined
  /** The node of two that has none of the logs, or that answers nothing. */
  withoutLogs: string | undefined
  silent: string | undefined
  /** The last block whose transfers the nodes have logs of: those of later ones are not there yet. */
  logsTo: bigint | undefined
  /** Hears of every search for deposits. */
  onDepositSearch: (range: { readonly fromBlock: bigint; readonly toBlock: bigint }) => void = () => {}
  /** A node that is behind by so many blocks, and does not know it. */
  lagBlocks = 0n
  /** How the nodes are that announce new blocks. */
  subscriptions: ReadonlyArray<SubscriptionHealth> = []
  readonly calls: Array<string> = []
  /** Wallets whose balance was asked for, once for each time. */
  readonly walletsLookedAt: Array<Address> = []
  /** When the server was asked for a price, in milliseconds. */
  readonly quotedAtMs: Array<number> = []
  /** When a payment arrived at the server, in milliseconds. */
  readonly sentAtMs: Array<number> = []
  readonly transfers: Array<Transfer> = []
  readonly mints: Array<Minted> = []
  readonly payments: Array<SignedAuthorization> = []
  /** Transactions that are in a block and neither mint nor move USDC. */
  readonly others: Array<{ readonly tx: Bytes32; readonly block: bigint; readonly mined: Mined }> = []
  /** Authorizations that the gas account was given. */
  readonly submitted: Array<SignedAuthorization> = []
  /** Whether what the gas account sends gets into a block. */
  takesTransfers = true
  gasAccount: Address | undefined = address(`0x${"9a".repeat(20)}`)
  /** In wei. */
  gas = 10n ** 18n
  /** What a facilitator finds of a payment that USDC has not taken yet. */
  verdict: (payment: PresentedPayment) => Verdict = () => ({ _tag: "Sound" })
  /** What a facilitator does with a payment. */
  settlement: (payment: PresentedPayment) => Effect.Effect<Settlement> = (payment) =>
    Effect.sync(() => {
      const isSettled = this.settle(payment)
      const outcome = this.#spent.get(payment.from + payment.nonce)?.outcome
      return isSettled && outcome?._tag === "Used"
        ? { _tag: "Settled", tx: outcome.tx }
        : { _tag: "Unknown", reason: "transaction_failed" }
    })
  /** Whether the mint server can live with a payment that comes twice. */
  takesAgain = true
  /** What the mint server says of a payment under its reference. */
  follows: (reference: string) => string | undefined = () => undefined
  /** Why the mint server cannot be reached. */
  unreachable: string | undefined
  /** By how much the indexes of this node's logs differ from another's. */
  logShift = 0
  /** The first node has no logs of transfers: another is asked only where balances tell of some. */
  firstLacksLogs = false
  supply: bigint | undefined
  /** Whether Circle has stopped USDC. */
  isPaused = false
  /** How far the chain's clock is behind everybody's, in milliseconds. */
  behindMs = 0
  /** The code behind USDC. */
  usdcCode = "0xc0de"
  /** The code that the first node tells instead of the true one. */
  codeTold: string | undefined
  /** The code that the other nodes tell. */
  codesBeside: ReadonlyArray<string> = []
  readonly blacklisted = new Set<Address>()
  /** Base units of the token in one mint, as the token tells it. */
  portion: bigint | undefined
  /** In which the executor wanted mints counted. */
  readonly portionsAsked: Array<bigint | undefined> = []
  /** Accounts that are no plain ones. */
  readonly codes = new Map<Address, `0x${string}`>()
  pricePerMint = usdc(1_000_000n)
  readonly #spent = new Map<string, Spent>()
  /** The first block of each fork that the chain went over to. */
  readonly #forks: Array<bigint> = []
  readonly #nowMs: () => number
  readonly #confirmations: number
  #haltedAtMs: number | undefined
  #hashes = 0

  constructor(nowMs: () => number, confirmations: number) {
    this.#nowMs = nowMs
    this.#confirmations = confirmations
  }

  get head(): bigint {
    return BigInt(Math.floor((this.#haltedAtMs ?? this.#nowMs()) / BLOCK_MS))
  }

  get isHalted(): boolean {
    return this.#haltedAtMs !== undefined
  }

  /** From now on the chain makes no blocks, until it does again. */
  halt(isHalted: boolean): void {
    this.#haltedAtMs = isHalted ? this.#nowMs() : undefined
  }

  /** Things that happen now are in the next block. */
  get nextBlock(): bigint {
    return this.head + 1n
  }

  get confirmed(): Block {
    const number = this.head - BigInt(this.#confirmations - 1) - this.lagBlocks
    const at = number < 0n ? 0n : number
    return { number: at, timeMs: this.timeOf(at) }
  }

  /** The timestamp of a block, in milliseconds. */
  timeOf(number: bigint): number {
    return Number(number) * BLOCK_MS - this.behindMs
  }

  hashAt(block: bigint): Bytes32 {
    return keccak256(toHex(`block ${block}, fork ${this.#forks.filter((from) => from <= block).length}`))
  }

  /**
   * The chain goes over to a fork that leaves it `depth` blocks ago. What was in those blocks is gone, or, where it is
   * mined again, in the next block, under other indexes. `only`: of these alone it is gone.
   */
  reorganise(
    depth: bigint,
    { isMinedAgain, only }: { readonly isMinedAgain: boolean; readonly only?: "mints" | "deposits" }
  ): void {
    const fork = this.head - depth
    const block = this.nextBlock
    this.#forks.push(fork + 1n)
    const isGone = (one: { readonly block: bigint }) => one.block > fork
    const again = (what: "mints" | "deposits") => isMinedAgain || (only !== undefined && only !== what)
    for (const list of [this.transfers, this.mints] as Array<Array<Transfer | Minted>>) {
      const gone = list.filter(isGone)
      list.splice(0, list.length, ...list.filter((one) => !isGone(one)))
      if (again(list === this.mints ? "mints" : "deposits"))
        list.push(...gone.map((one) => ({ ...one, block, logIndex: (one.logIndex ?? 0) + 7 })))
    }
    for (const [key, { outcome, block: spentIn }] of this.#spent) {
      if (spentIn <= fork) continue
      if (isMinedAgain || only !== undefined)
        this.#spent.set(key, { block, outcome: { ...outcome, block } as AuthorizationOutcome })
      else this.#spent.delete(key)
    }
    if (!again("mints")) this.#mintedFor.clear()
  }

  hash(): Bytes32 {
    return keccak256(toHex(`hash ${++this.#hashes}`))
  }

  deposit(to: Address, amount: Usdc): Bytes32 {
    const tx = this.hash()
    this.transfers.push({ from: ZERO, to, amount, tx, block: this.nextBlock })
    return tx
  }

  /** USDC that leaves a wallet by no payment of ours: v1.1's, or a thief's. */
  spend(from: Address, to: Address, amount: Usdc): void {
    this.transfers.push({ from, to, amount, tx: this.hash(), block: this.nextBlock })
  }

  balance(of: Address, block = this.head): Usdc {
    const upTo = this.transfers.filter((transfer) => transfer.block <= block)
    const total = (key: "from" | "to") => sum(upTo.filter((t) => t[key] === of).map((t) => t.amount))
    return usdc(total("to") - total("from"))
  }

  paidBy(payer: Address): ReadonlyArray<Transfer> {
    return this.transfers.filter((transfer) => transfer.from === payer)
  }

  mintsTo(recipient: Address): number {
    return this.mints.filter((mint) => mint.recipient === recipient).length
  }

  settle(payment: SignedAuthorization): boolean {
    const key = payment.from + payment.nonce
    const seconds = this.timeOf(this.nextBlock) / 1000
    const inWindow = payment.validAfter < seconds && seconds < payment.validBefore
    if (this.isPaused || this.blacklisted.has(payment.from) || this.blacklisted.has(payment.to)) return false
    if (!inWindow || this.#spent.has(key) || this.balance(payment.from, this.nextBlock) < payment.value) return false
    const { from, to, value } = payment
    const [tx, block] = [this.hash(), this.nextBlock]
    this.transfers.push({ from, to, amount: value, tx, block })
    this.#spent.set(key, { outcome: { _tag: "Used", tx, block, to, value }, block })
    return true
  }

  /** Whether a nonce is spent in the newest block or about to be, as a facilitator looks. */
  isSpent({ from, nonce }: Pick<Authorization, "from" | "nonce">): boolean {
    return this.#spent.has(from + nonce)
  }

  cancelAuthorization(payer: Address, nonce: Bytes32): void {
    const [tx, block] = [this.hash(), this.nextBlock]
    this.#spent.set(payer + nonce, { outcome: { _tag: "Canceled", tx, block }, block })
  }

  /** Whoever has the wallet's key used the nonce for another transfer. */
  useElsewhere(payer: Address, nonce: Bytes32, to: Address, value: Usdc): void {
    const [tx, block] = [this.hash(), this.nextBlock]
    this.transfers.push({ from: payer, to, amount: value, tx, block })
    this.#spent.set(payer + nonce, { outcome: { _tag: "Used", tx, block, to, value }, block })
  }

  /** The nonce that a transfer was paid with. */
  nonceOf(tx: Bytes32): Bytes32 | undefined {
    const spent = [...this.#spent].find(([, { outcome }]) => "tx" in outcome && outcome.tx === tx)
    return spent?.[0].slice(42) as Bytes32 | undefined
  }

  /** The gas account takes an authorization to the chain. */
  submit(payment: SignedAuthorization): Bytes32 {
    this.submitted.push(payment)
    if (this.takesTransfers) this.settle(payment)
    return this.hash()
  }

  outcome(payer: Address, nonce: Bytes32, block: bigint): AuthorizationOutcome {
    const spent = this.#spent.get(payer + nonce)
    return spent === undefined || spent.block > block ? { _tag: "Unused" } : spent.outcome
  }

  usdcState(accounts: ReadonlyArray<Address>): UsdcState {
    return { isPaused: this.isPaused, blacklisted: new Set(accounts.filter((one) => this.blacklisted.has(one))) }
  }

  mint({ token, recipient }: MintOrder, count: number): ReadonlyArray<Bytes32> {
    if (count === 0) return []
    const tx = this.hash()
    const block = this.nextBlock
    for (let logIndex = 0; logIndex < count; logIndex++) {
      this.mints.push({ token, recipient, tx, part: logIndex, logIndex, block })
    }
    return [tx]
  }

  /** A transaction that brings nothing that counts. */
  mine(mined: Mined = "succeeded"): Bytes32 {
    const tx = this.hash()
    this.others.push({ tx, block: this.nextBlock, mined })
    return tx
  }

  /** How each of these ended that is in a block up to this one. */
  mined(txs: ReadonlyArray<Bytes32>, upTo: bigint): ReadonlyMap<Bytes32, Mined> {
    const done = [...this.mints, ...this.transfers].map(({ tx, block }) => ({ tx, block, mined: "succeeded" as const }))
    const all = [...done, ...this.others].filter(({ tx, block }) => block <= upTo && txs.includes(tx))
    return new Map(all.map(({ tx, mined }) => [tx, mined]))
  }

  /** Mints what this payment has not got yet: sending it again repairs and never doubles. */
  readonly #mintedFor = new Map<string, ReadonlyArray<Bytes32>>()

  answer(order: MintOrder, payment: SignedAuthorization): PaymentAnswer | Effect.Effect<PaymentAnswer> {
    this.payments.push(payment)
    this.sentAtMs.push(this.#nowMs())
    const mint = (count: number) => {
      const before = this.#mintedFor.get(payment.nonce)
      if (before !== undefined) return before
      const txs = this.mint(order, count)
      this.#mintedFor.set(payment.nonce, txs)
      return txs
    }
    const settle = () => this.settle(payment)
    const scripted = this.manners.pay?.({ order, payment, settle, mint })
    if (scripted !== undefined) return scripted
    const isPaid = settle() || this.#spent.get(payment.from + payment.nonce)?.outcome._tag === "Used"
    if (!isPaid) return { _tag: "Refused", reason: "invalid_exact_evm_payload" }
    return { _tag: "Accepted", mintTxs: mint(order.quantity), paymentTx: undefined }
  }
}
