import type { WalletId } from "../domain/Wallet.ts"
import type { Left } from "./left.ts"

/**
 * Wallets that are due within so short a time have their turn in the same moment: what they ask then travels together,
 * and one timer is for all of them.
 */
const TOGETHER_MS = 20

/** A wallet whose next turn is further away is forgotten; the mint loop wakes it when the time has come. */
const LINGER_MS = 60_000

/** No rest is longer, even where the clock was set back meanwhile. */
const REST_MS_MAX = 60_000

/**
 * Turns whose rows and answers are in memory at the same moment. No limit on wallets or speed: a turn waits for chain and
 * ledger alone, and the next wallet begins when one has ended. After a restart 100,000 wallets may be due at once, and
 * must not ask 100,000 questions at once.
 */
const TURNS_IN_MEMORY = 2_000

/** What a turn leaves, and whether it ended in trouble. */
export interface Turn extends Left {
  readonly inTrouble: boolean
}

/** A turn that begins; `isForBlock`: what waits for the chain is looked at, though it is not due. */
export interface Begun {
  readonly walletId: WalletId
  readonly isForBlock: boolean
}

interface Entry {
  state: "ready" | "turning" | "waiting"
  /** Woken during its turn: what it has read by then may be old. */
  again: boolean
  /** Until when it leaves everything alone: after trouble, or where a request changed nothing. Taken once. */
  restUntilMs: number
  /** Of a wallet that waits: the moment of its next turn; infinite where there is none yet. */
  tick: number
  /** From which head on a block may bring something; `undefined` where none may. */
  awaited: bigint | undefined
  /** Woken by a block. */
  isForBlock: boolean
}

/**
 * Which wallet has its turn when. A wallet that waits is an entry here and no fiber; one that rests is not woken before
 * its rest ends. Times are in milliseconds since 1970. It runs nothing: `begin` gives the wallets whose turn begins now,
 * and the caller says when it has ended.
 */
export class Agenda {
  readonly #entries = new Map<WalletId, Entry>()
  readonly #ready = new Set<WalletId>()
  readonly #ticks = new Map<number, Set<WalletId>>()
  /** Of wallets that wait, those for which a block may bring something. */
  readonly #awaiting = new Set<WalletId>()
  readonly #confirmations: number
  #turning = 0
  #head = 0n

  constructor(confirmations: number) {
    this.#confirmations = confirmations
  }

  /** Whether a block may bring something for any wallet. */
  get awaitsBlock(): boolean {
    return this.#awaiting.size > 0
  }

  /** Whether a wallet has its turn now. */
  isTurning(walletId: WalletId): boolean {
    return this.#entries.get(walletId)?.state === "turning"
  }

  /** How many wallets are known to have something to do before long. */
  get size(): number {
    return this.#entries.size
  }

  /**
   * There is something to do for a wallet, or was done beside its turns: it has its turn when that is due, once its rest
   * has ended. Gives the moment for which a timer is needed.
   */
  note(walletId: WalletId, { dueMs = Number.POSITIVE_INFINITY, inTrouble, awaitsBlock = false }: Turn, nowMs: number) {
    const entry = this.#entryOf(walletId)
    if (inTrouble) prolong(entry, dueMs, nowMs)
    if (entry.state === "turning") entry.again = true
    if (entry.state !== "waiting") return undefined
    if (awaitsBlock) entry.awaited ??= this.#firstAwaited()
    return this.#waitUntil(
      walletId,
      entry,
      Math.max(Math.min(inTrouble ? nowMs : dueMs, entry.tick), entry.restUntilMs),
      nowMs
    )
  }

  /** The wallets that begin their turn now, those first that wait longest. */
  begin(): ReadonlyArray<Begun> {
    const chosen: Array<WalletId> = []
    for (const walletId of this.#ready) {
      if (this.#turning + chosen.length >= TURNS_IN_MEMORY) break
      chosen.push(walletId)
    }
    this.#turning += chosen.length
    return chosen.map((walletId) => this.#begin(walletId))
  }

  /** The turn of a wallet has ended. Gives the moment for which a timer is needed. */
  end(walletId: WalletId, turn: Turn, nowMs: number): number | undefined {
    const { dueMs = Number.POSITIVE_INFINITY, inTrouble, awaitsBlock = false } = turn
    this.#turning--
    const entry = this.#entryOf(walletId)
    entry.awaited = awaitsBlock ? (entry.awaited ?? this.#firstAwaited()) : undefined
    if (inTrouble) prolong(entry, dueMs, nowMs)
    return this.#waitUntil(walletId, entry, Math.max(entry.again ? nowMs : dueMs, entry.restUntilMs), nowMs)
  }

  /** There is a new block: those wallets are ready for which it may bring something. */
  newBlock(head: bigint): void {
    this.#head = head
    for (const walletId of this.#awaiting) {
      const entry = this.#entryOf(walletId)
      if (entry.awaited === undefined || entry.awaited > head) continue
      this.#putReady(walletId, entry)
      entry.isForBlock = true
      entry.awaited = head + 1n
    }
  }

  /** This moment has come: all that wait for it are ready. */
  come(tick: number): void {
    const due = this.#ticks.get(tick) ?? []
    this.#ticks.delete(tick)
    for (const walletId of due) this.#putReady(walletId, this.#entryOf(walletId))
  }

  #entryOf(walletId: WalletId): Entry {
    const entry = this.#entries.get(walletId) ?? newEntry()
    this.#entries.set(walletId, entry)
    return entry
  }

  #begin(walletId: WalletId): Begun {
    this.#ready.delete(walletId)
    const entry = this.#entryOf(walletId)
    const { isForBlock } = entry
    Object.assign(entry, { state: "turning", again: false, restUntilMs: 0, isForBlock: false } satisfies Partial<Entry>)
    return { walletId, isForBlock }
  }

  /** What the newest block may hold counts when as many blocks as needed are upon it. */
  #firstAwaited(): bigint {
    return this.#head + BigInt(this.#confirmations - 1)
  }

  /** Gives the moment for which a timer is needed. */
  #waitUntil(walletId: WalletId, entry: Entry, nextMs: number, nowMs: number): number | undefined {
    if (nextMs <= nowMs) return this.#putReady(walletId, entry)
    if (nextMs - nowMs <= LINGER_MS) return this.#wait(walletId, entry, nextMs)
    // One that has a timer keeps it, where the clock was set back and that moment seems far away.
    if (this.#ticks.get(entry.tick)?.has(walletId) === true) return this.#wait(walletId, entry, entry.tick)
    this.#entries.delete(walletId)
    return undefined
  }

  #putReady(walletId: WalletId, entry: Entry): undefined {
    this.#ticks.get(entry.tick)?.delete(walletId)
    this.#awaiting.delete(walletId)
    entry.state = "ready"
    this.#ready.add(walletId)
  }

  /** Gives the moment, where no other wallet waits for it yet. */
  #wait(walletId: WalletId, entry: Entry, dueMs: number): number | undefined {
    this.#ticks.get(entry.tick)?.delete(walletId)
    entry.state = "waiting"
    if (entry.awaited === undefined || entry.restUntilMs > 0) this.#awaiting.delete(walletId)
    else this.#awaiting.add(walletId)
    entry.tick = Math.ceil(dueMs / TOGETHER_MS) * TOGETHER_MS
    const waiting = this.#ticks.get(entry.tick)
    waiting?.add(walletId)
    if (waiting !== undefined) return undefined
    this.#ticks.set(entry.tick, new Set([walletId]))
    return entry.tick
  }
}

const newEntry = (): Entry => ({
  state: "waiting",
  again: false,
  restUntilMs: 0,
  tick: Number.POSITIVE_INFINITY,
  awaited: undefined,
  isForBlock: false
})

const prolong = (entry: Entry, untilMs: number, nowMs: number): void => {
  entry.restUntilMs = Math.max(entry.restUntilMs, Math.min(untilMs, nowMs + REST_MS_MAX))
}
