import { Context, Effect, Layer } from "effect"
import { keccak256, toHex } from "viem"
import { ChainClient, ChainError, type Mint } from "../../src/chain/ChainClient.ts"
import { Settings } from "../../src/config/Settings.ts"
import { type Address, type Bytes32, ZERO } from "../../src/domain/Address.ts"
import type { AuthorizationOutcome, SignedAuthorization } from "../../src/domain/Authorization.ts"
import type { Block } from "../../src/domain/Block.ts"
import { sum, times, type Usdc, usdc } from "../../src/domain/Usdc.ts"
import { Minter, type MintOrder, NoOffer, type PaymentAnswer } from "../../src/mint/Minter.ts"

/** Seconds between blocks of this chain, as on Base. */
const BLOCK_MS = 2_000

interface Transfer {
  readonly from: Address
  readonly to: Address
  readonly amount: Usdc
  readonly tx: Bytes32
  readonly block: bigint
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
  pay?: (request: PaymentRequest) => PaymentAnswer | undefined
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
  readonly calls: Array<string> = []
  readonly transfers: Array<Transfer> = []
  readonly mints: Array<Minted> = []
  readonly payments: Array<SignedAuthorization> = []
  supply: bigint | undefined
  pricePerMint = usdc(1_000_000n)
  readonly #spent = new Map<string, Spent>()
  readonly #nowMs: () => number
  readonly #confirmations: number
  #hashes = 0

  constructor(nowMs: () => number, confirmations: number) {
    this.#nowMs = nowMs
    this.#confirmations = confirmations
  }

  get head(): bigint {
    return BigInt(Math.floor(this.#nowMs() / BLOCK_MS))
  }

  /** Things that happen now are in the next block. */
  get nextBlock(): bigint {
    return this.head + 1n
  }

  get confirmed(): Block {
    const number = this.head - BigInt(this.#confirmations - 1)
    const at = number < 0n ? 0n : number
    return { number: at, timeMs: Number(at) * BLOCK_MS }
  }

  hash(): Bytes32 {
    return keccak256(toHex(`hash ${++this.#hashes}`))
  }

  deposit(to: Address, amount: Usdc): Bytes32 {
    const tx = this.hash()
    this.transfers.push({ from: ZERO, to, amount, tx, block: this.nextBlock })
    return tx
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
    const seconds = (Number(this.nextBlock) * BLOCK_MS) / 1000
    const inWindow = payment.validAfter < seconds && seconds < payment.validBefore
    if (!inWindow || this.#spent.has(key) || this.balance(payment.from, this.nextBlock) < payment.value) return false
    const { from, to, value } = payment
    const [tx, block] = [this.hash(), this.nextBlock]
    this.transfers.push({ from, to, amount: value, tx, block })
    this.#spent.set(key, { outcome: { _tag: "Used", tx, block, to, value }, block })
    return true
  }

  cancelAuthorization(payer: Address, nonce: Bytes32): void {
    const [tx, block] = [this.hash(), this.nextBlock]
    this.#spent.set(payer + nonce, { outcome: { _tag: "Canceled", tx, block }, block })
  }

  outcome(payer: Address, nonce: Bytes32, block: bigint): AuthorizationOutcome {
    const spent = this.#spent.get(payer + nonce)
    return spent === undefined || spent.block > block ? { _tag: "Unused" } : spent.outcome
  }

  mint({ token, recipient }: MintOrder, count: number): ReadonlyArray<Bytes32> {
    if (count === 0) return []
    const tx = this.hash()
    const block = this.nextBlock
    for (let logIndex = 0; logIndex < count; logIndex++) this.mints.push({ token, recipient, tx, logIndex, block })
    return [tx]
  }

  /** Mints what this payment has not got yet: sending it again repairs and never doubles. */
  readonly #mintedFor = new Map<string, ReadonlyArray<Bytes32>>()

  answer(order: MintOrder, payment: SignedAuthorization): PaymentAnswer {
    this.payments.push(payment)
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

/** The chain, as the executor asks it. */
export const chain = Layer.effect(
  ChainClient,
  Effect.map(World, (world) => {
    const read = <A>(call: string, answer: (block: Block) => A) =>
      Effect.suspend(() => {
        world.calls.push(call)
        return world.chainFault === undefined ? Effect.succeed(answer(world.confirmed)) : Effect.fail(world.chainFault)
      })
    return ChainClient.of({
      genesis: keccak256(toHex("genesis")),
      confirmedBlock: read("confirmedBlock", (block) => block),
      readBalances: (wallets) =>
        read("readBalances", (block) => ({
          block,
          usdc: new Map(wallets.map((wallet) => [wallet, world.balance(wallet, block.number)]))
        })),
      readAuthorizations: (queries) =>
        read("readAuthorizations", (block) => ({
          block,
          outcomes: queries.map(({ payer, nonce }) => world.outcome(payer, nonce, block.number))
        })),
      readRemainingSupply: () => read("readRemainingSupply", () => world.supply),
      findMints: ({ token, recipient, fromBlock }) =>
        read("findMints", (block) =>
          world.mints.filter(
            (mint) =>
              mint.token === token &&
              mint.recipient === recipient &&
              mint.block >= fromBlock &&
              mint.block <= block.number
          )
        ),
      findDeposits: ({ wallets, fromBlock, toBlock }) =>
        read("findDeposits", () =>
          world.transfers
            .filter(({ to, block }) => wallets.includes(to) && block >= fromBlock && block <= toBlock)
            .map(({ from, to, amount, tx, block }) => ({
              wallet: to,
              from,
              amount,
              tx,
              logIndex: 0,
              block: { number: block, timeMs: Number(block) * BLOCK_MS }
            }))
        ),
      paidSince: ({ payer, payTo, sinceMs }) =>
        read("paidSince", () =>
          sum(
            world
              .paidBy(payer)
              .filter(({ to, block }) => to === payTo && Number(block) * BLOCK_MS >= sinceMs)
              .map(({ amount }) => amount)
          )
        )
    })
  })
)

/** The mint server, as the executor meets it. */
export const minter = Layer.effect(
  Minter,
  Effect.gen(function* () {
    const world = yield* World
    const { network } = yield* Settings
    return Minter.of({
      quote: (order) =>
        Effect.suspend(() => {
          const refused = world.manners.quote?.(order)
          if (refused !== undefined) return Effect.fail(refused)
          const amount = world.manners.price?.(order) ?? times(world.pricePerMint, order.quantity)
          const offer = { scheme: "exact", network: `eip155:${network.chainId}`, asset: network.usdc.address }
          const offers = [{ ...offer, payTo: order.token, amount, maxTimeoutSeconds: 300 }]
          return Effect.succeed({ x402Version: 2 as const, offers, challenge: undefined })
        }),
      pay: (order, _quote, _offer, payment) => Effect.sync(() => world.answer(order, payment))
    })
  })
)

export const outside = Layer.mergeAll(chain, minter)

