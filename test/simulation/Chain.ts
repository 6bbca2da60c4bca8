import { createHash } from "node:crypto"
import type { Address, Bytes32 } from "../../src/domain/Address.ts"
import type { Authorization, AuthorizationOutcome, SignedAuthorization } from "../../src/domain/Authorization.ts"
import type { Block } from "../../src/domain/Block.ts"
import type { UsdcState } from "../../src/domain/UsdcState.ts"
import type { Timeline } from "./Timeline.ts"

/** Between blocks, as on Base. */
export const BLOCK_MS = 2_000

/** 32 bytes that follow from a text, much faster than keccak256: any hash serves here. */
export const digest = (text: string): Bytes32 => `0x${createHash("sha256").update(text).digest("hex")}`

/** USDC that moved. */
export interface Transfer {
  readonly from: Address
  readonly to: Address
  readonly amount: bigint
  readonly tx: Bytes32
  readonly block: number
  readonly timeMs: number
  /** The EIP-3009 nonce that it used; `undefined` for an ordinary transfer. */
  readonly nonce: Bytes32 | undefined
}

export interface MintEvent {
  readonly tx: Bytes32
  readonly logIndex: number
  readonly block: number
  readonly token: Address
  readonly recipient: Address
  /** The nonce of the payment that the server made it for: the truth, which no executor sees. */
  readonly nonce: Bytes32
}

interface Spent {
  /** When it would have been too late. */
  readonly untilMs: number | undefined
  readonly outcome: Exclude<AuthorizationOutcome, { readonly _tag: "Unused" | "Unexplained" }>
  readonly block: number
}

/** Blocks that came at the usual pace, from `number` on. */
interface Stretch {
  readonly number: number
  readonly atMs: number
}

/** What became of an authorization that was put on chain. */
export type Settlement =
  | { readonly _tag: "done"; readonly tx: Bytes32 }
  | { readonly _tag: "reverted"; readonly why: string }

type Tx = (block: number, timeMs: number) => void

/** A chain with Circle's USDC and mint tokens on it: the truth of a run. Blocks follow from the time; only txs are events. */
export class Chain {
  readonly transfers: Array<Transfer> = []
  readonly mints: Array<MintEvent> = []
  /** Whether Circle has stopped USDC, and the accounts that it has stopped. */
  isPaused = false
  /** The code behind USDC. */
  usdcCode = "0xc0de"
  readonly blacklisted = new Set<Address>()
  /** Signatures of the authorizations that moved money, as the calldata shows them. */
  readonly settled = new Set<string>()
  /** USDC that came to an account in blocks that are no more, and did not come again. */
  readonly lost = new Map<Address, bigint>()
  /** What left the chain for good, by transaction. */
  readonly gone = new Map<Bytes32, Transfer>()
  reorganisations = 0
  readonly #timeline: Timeline
  readonly #isSigned: (payment: SignedAuthorization) => boolean
  readonly #stretches: Array<Stretch>
  readonly #transfersOf = new Map<Address, Array<Transfer>>()
  readonly #mintsOf = new Map<string, Array<MintEvent>>()
  readonly #spent = new Map<string, Spent>()
  readonly #limits = new Map<Address, number>()
  readonly #mintedIn = new Map<Bytes32, number>()
  /** The first block of each fork that the chain went over to. */
  readonly #forks: Array<number> = []
  #waiting: Array<Tx> = []
  #haltedAt: number | undefined
  #hashes = 0

  constructor(timeline: Timeline, isSigned: (payment: SignedAuthorization) => boolean) {
    this.#timeline = timeline
    this.#isSigned = isSigned
    const old = 20_000
    this.#stretches = [{ number: 0, atMs: timeline.nowMs - old * BLOCK_MS }]
  }

  get head(): number {
    if (this.#haltedAt !== undefined) return this.#haltedAt
    const last = this.#stretches.at(-1)!
    return last.number + Math.floor((this.#timeline.nowMs - last.atMs) / BLOCK_MS)
  }

  timeOf(number: number): number {
    const stretch = this.#stretches.findLast((candidate) => candidate.number <= number)!
    return stretch.atMs + (number - stretch.number) * BLOCK_MS
  }

  blockAt(number: number): Block {
    return { number: BigInt(number), timeMs: this.timeOf(number) }
  }

  get isHalted(): boolean {
    return this.#haltedAt !== undefined
  }

  /** From now on there are no blocks. */
  halt(): void {
    this.#haltedAt ??= this.head
  }

  /** Blocks again: with the time of now, or, as a rollup may do it, with all that were missed and their old times. */
  resume(catchesUp: boolean): void {
    const halted = this.#haltedAt
    if (halted === undefined) return
    this.#haltedAt = undefined
    const last = this.#stretches.at(-1)!
    const number = halted + 1
    if (!catchesUp) {
      const atMs = Math.max(last.atMs + (number - last.number) * BLOCK_MS, this.#timeline.nowMs)
      this.#stretches.push({ number, atMs: Math.floor(atMs / 1000) * 1000 })
    }
    const waiting = this.#waiting
    this.#waiting = []
    if (this.head < number) {
      for (const tx of waiting) this.submit(tx)
    } else for (const tx of waiting) tx(number, this.timeOf(number))
  }

  /** Has `tx` done in the first block that comes after `notBeforeMs`. */
  submit(tx: Tx, notBeforeMs = 0): void {
    const last = this.#stretches.at(-1)!
    const fromMs = Math.max(this.#timeline.nowMs, notBeforeMs - 1)
    const atMs = last.atMs + (Math.floor((fromMs - last.atMs) / BLOCK_MS) + 1) * BLOCK_MS
    this.#timeline.at(
      atMs,
      () => (this.isHalted ? void this.#waiting.push(tx) : tx(this.head, this.timeOf(this.head))),
      {
        isChain: true
      }
    )
  }

  /** Another one where the chain went over to a fork below. */
  hashAt(number: number): Bytes32 {
    return digest(`block ${number}, fork ${this.forksBelow(number)}`)
  }

  /** How many forks a block is above: nodes number the logs of each anew. */
  forksBelow(number: number): number {
    return this.#forks.filter((from) => from <= number).length
  }

  /**
   * Transfers of the last `depth` blocks without which the chain would still be one: no wallet would have spent what it
   * had not.
   */
  losable(depth: number): ReadonlyArray<Transfer> {
    const fork = this.head - depth
    return this.transfers.filter((transfer) => {
      if (transfer.block <= fork) return false
      let balance = 0n
      return this.transfersOf(transfer.to).every((one) => {
        if (one !== transfer) balance += one.to === transfer.to ? one.amount : -one.amount
        return balance >= 0n
      })
    })
  }

  /**
   * The chain goes over to a fork that leaves it `depth` blocks ago. What was in those blocks comes `shift` blocks later
   * in the new ones, where every authorization is still good then, and in the same ones else. What is `lost` does not
   * come at all, nor what was minted for it.
   */
  reorganise(depth: number, shift: number, lost: ReadonlySet<Transfer>, lostMints: ReadonlySet<Bytes32>): void {
    const { head } = this
    const fork = head - depth
    this.#forks.push(fork + 1)
    const later = (by: number) => (block: number) => (block <= fork ? block : Math.min(head, block + by))
    const isGood = [...this.#spent.values()].every(
      ({ block, untilMs }) => untilMs === undefined || this.timeOf(later(shift)(block)) < untilMs
    )
    const move = later(isGood ? shift : 0)
    const moved = new Map<Transfer, Transfer>()
    const carry = (transfer: Transfer): ReadonlyArray<Transfer> => {
      if (lost.has(transfer)) return []
      const block = move(transfer.block)
      const now = moved.get(transfer) ?? { ...transfer, block, timeMs: this.timeOf(block) }
      moved.set(transfer, now)
      return [transfer.block <= fork ? transfer : now]
    }
    for (const list of [this.transfers, ...this.#transfersOf.values()])
      list.splice(0, list.length, ...list.flatMap(carry))
    const txs = new Set([...lost].map(({ tx }) => tx))
    for (const [key, { block, outcome, ...spent }] of this.#spent) {
      if (txs.has(outcome.tx)) this.#spent.delete(key)
      else this.#spent.set(key, { ...spent, block: move(block), outcome: { ...outcome, block: BigInt(move(block)) } })
    }
    for (const [tx, block] of this.#mintedIn) this.#mintedIn.set(tx, move(block))
    for (const { tx, block, nonce } of this.mints) if (block > fork && lostMints.has(nonce)) this.#mintedIn.delete(tx)
    for (const list of [this.mints, ...this.#mintsOf.values()]) {
      const left = list.filter(({ block, nonce }) => block <= fork || !lostMints.has(nonce))
      list.splice(0, list.length, ...left.map((mint) => ({ ...mint, block: move(mint.block) })))
    }
    for (const transfer of lost) {
      const { to, amount, tx } = transfer
      this.gone.set(tx, transfer)
      this.lost.set(to, (this.lost.get(to) ?? 0n) + amount)
    }
    this.reorganisations++
  }

  hash(): Bytes32 {
    return digest(`hash ${++this.#hashes}`)
  }

  balance(of: Address, block = Number.MAX_SAFE_INTEGER): bigint {
    let balance = 0n
    for (const transfer of this.#transfersOf.get(of) ?? []) {
      if (transfer.block > block) break
      balance += transfer.to === of ? transfer.amount : -transfer.amount
    }
    return balance
  }

  /** Oldest first. */
  transfersOf(account: Address): ReadonlyArray<Transfer> {
    return this.#transfersOf.get(account) ?? []
  }

  transfer(move: Omit<Transfer, "tx" | "timeMs">): Bytes32 {
    const done: Transfer = { ...move, tx: this.hash(), timeMs: this.timeOf(move.block) }
    this.#add(done)
    return done.tx
  }

  #add(done: Transfer): void {
    this.transfers.push(done)
    for (const account of new Set([done.from, done.to])) {
      const known = this.#transfersOf.get(account)
      if (known === undefined) this.#transfersOf.set(account, [done])
      else known.push(done)
    }
  }

  /** USDC's `transferWithAuthorization`. */
  settle(payment: SignedAuthorization, block: number): Settlement {
    const seconds = Math.floor(this.timeOf(block) / 1000)
    const fault = this.#faultOf(payment, seconds)
    if (fault !== undefined) return { _tag: "reverted", why: fault }
    this.settled.add(payment.signature)
    return { _tag: "done", tx: this.#spend(payment, block) }
  }

  /** What a call instead of a transaction would say. */
  wouldSettle(payment: SignedAuthorization): boolean {
    return this.#faultOf(payment, Math.floor(this.timeOf(this.head) / 1000)) === undefined
  }

  #faultOf(payment: SignedAuthorization, seconds: number): string | undefined {
    if (this.isPaused) return "Pausable: paused"
    if (!this.mayMove(payment.from, payment.to)) return "Blacklistable: account is blacklisted"
    if (!this.#isSigned(payment)) return "FiatTokenV2: invalid signature"
    if (seconds <= payment.validAfter) return "FiatTokenV2: authorization is not yet valid"
    if (seconds >= payment.validBefore) return "FiatTokenV2: authorization is expired"
    if (this.#spent.has(payment.from + payment.nonce)) return "FiatTokenV2: authorization is used or canceled"
    if (this.balance(payment.from) < payment.value) return "ERC20: transfer amount exceeds balance"
    return undefined
  }

  #spend({ from, to, value, nonce, validBefore }: Authorization, block: number): Bytes32 {
    const tx = this.transfer({ from, to, amount: value, block, nonce })
    const outcome = { _tag: "Used", tx, block: BigInt(block), to, value } as const
    this.#spent.set(from + nonce, { block, outcome, untilMs: validBefore * 1000 })
    return tx
  }

  /** A thief with the wallet's key used the nonce for a transfer of their own. */
  useElsewhere(authorization: Authorization, block: number): boolean {
    const isFree = !this.#spent.has(authorization.from + authorization.nonce)
    if (
      !isFree ||
      !this.mayMove(authorization.from, authorization.to) ||
      this.balance(authorization.from) < authorization.value
    )
      return false
    this.#spend(authorization, block)
    return true
  }

  cancelAuthorization(payer: Address, nonce: Bytes32, block: number): boolean {
    if (this.#spent.has(payer + nonce)) return false
    const outcome = { _tag: "Canceled", tx: this.hash(), block: BigInt(block) } as const
    this.#spent.set(payer + nonce, { block, outcome, untilMs: undefined })
    return true
  }

  /** Whether USDC would move between these now. */
  mayMove(from: Address, to: Address): boolean {
    return !this.isPaused && !this.blacklisted.has(from) && !this.blacklisted.has(to)
  }

  usdcState(accounts: ReadonlyArray<Address>): UsdcState {
    return { isPaused: this.isPaused, blacklisted: new Set(accounts.filter((one) => this.blacklisted.has(one))) }
  }

  /** What became of a nonce up to a block. */
  outcome(payer: Address, nonce: Bytes32, block = Number.MAX_SAFE_INTEGER): AuthorizationOutcome {
    const spent = this.#spent.get(payer + nonce)
    return spent === undefined || spent.block > block ? { _tag: "Unused" } : spent.outcome
  }

  /** `undefined` where the token has not so many left: the transaction is reverted. */
  mint(order: Pick<MintEvent, "token" | "recipient" | "nonce">, count: number, block: number): Bytes32 | undefined {
    if ((this.remaining(order.token) ?? BigInt(count)) < BigInt(count)) return undefined
    const tx = this.hash()
    const key = order.token + order.recipient
    const known = this.#mintsOf.get(key) ?? []
    this.#mintedIn.set(tx, block)
    this.#mintsOf.set(key, known)
    for (let logIndex = 0; logIndex < count; logIndex++) {
      const event = { ...order, tx, logIndex, block }
      this.mints.push(event)
      known.push(event)
    }
    return tx
  }

  /** The token allows so many mints and no more. */
  limit(token: Address, mints: number): void {
    this.#limits.set(token, mints)
  }

  /** How many mints the token still allows; `undefined` where it has no limit. */
  remaining(token: Address, block = Number.MAX_SAFE_INTEGER): bigint | undefined {
    const limit = this.#limits.get(token)
    if (limit === undefined) return undefined
    return BigInt(limit - this.mints.filter((mint) => mint.token === token && mint.block <= block).length)
  }

  /** The block of a transaction that minted. */
  blockOf(tx: Bytes32): number | undefined {
    return this.#mintedIn.get(tx)
  }

  mintsOf(token: Address, recipient: Address): ReadonlyArray<MintEvent> {
    return this.#mintsOf.get(token + recipient) ?? []
  }
}
