import type { WalletId } from "../domain/Wallet.ts"

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

/** What a turn leaves: when there is something to do again, and whether it ended in trouble. */
export interface Turn {
  readonly dueMs: number | undefined
  readonly inTrouble: boolean
}

interface Entry {
  state: "ready" | "turning" | "waiting"
  /** Woken during its turn: what it has read by then may be old. */
  again: boolean
  /** Until when it leaves everything alone: after trouble, or where a request changed nothing. Taken once. */
  restUntilMs: number
  /** Of a wallet that waits: the moment of its next turn. */
  tick: number
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
  #turning = 0

  /** How many wallets are known to have something to do before long. */
  get size(): number {
    return this.#entries.size
  }

  /** There may be something to do for a wallet, once its rest has ended. Gives the moment for which a timer is needed. */
  wake(walletId: WalletId, nowMs: number, restUntilMs = 0): number | undefined {
    const entry = this.#entryOf(walletId)
    prolong(entry, restUntilMs, nowMs)
    if (entry.state === "turning") entry.again = true
    if (entry.state !== "waiting") return undefined
    return entry.restUntilMs > nowMs ? this.#wait(walletId, entry, entry.restUntilMs) : this.#putReady(walletId, entry)
  }

  /** The wallets that begin their turn now, those first that wait longest. */
  begin(): ReadonlyArray<WalletId> {
    const chosen: Array<WalletId> = []
    for (const walletId of this.#ready) {
      if (this.#turning + chosen.length >= TURNS_IN_MEMORY) break
      chosen.push(walletId)
    }
    for (const walletId of chosen) {
      this.#ready.delete(walletId)
      Object.assign(this.#entryOf(walletId), {
        state: "turning",
        again: false,
        restUntilMs: 0
      } satisfies Partial<Entry>)
    }
    this.#turning += chosen.length
    return chosen
  }

  /** The turn of a wallet has ended. Gives the moment for which a timer is needed. */
  end(walletId: WalletId, { dueMs = Number.POSITIVE_INFINITY, inTrouble }: Turn, nowMs: number): number | undefined {
    this.#turning--
    const entry = this.#entryOf(walletId)
    if (inTrouble) prolong(entry, dueMs, nowMs)
    const nextMs = Math.max(entry.again ? nowMs : dueMs, entry.restUntilMs)
    if (nextMs <= nowMs) return this.#putReady(walletId, entry)
    if (nextMs - nowMs <= LINGER_MS) return this.#wait(walletId, entry, nextMs)
    this.#entries.delete(walletId)
    return undefined
  }

  /** This moment has come: all that wait for it are ready. */
  come(tick: number): void {
    const due = this.#ticks.get(tick) ?? []
    this.#ticks.delete(tick)
    for (const walletId of due) this.#putReady(walletId, this.#entryOf(walletId))
  }

  #entryOf(walletId: WalletId): Entry {
    const entry = this.#entries.get(walletId) ?? { state: "waiting", again: false, restUntilMs: 0, tick: 0 }
    this.#entries.set(walletId, entry)
    return entry
  }

  #putReady(walletId: WalletId, entry: Entry): undefined {
    this.#ticks.get(entry.tick)?.delete(walletId)
    entry.state = "ready"
    this.#ready.add(walletId)
  }

  /** Gives the moment, where no other wallet waits for it yet. */
  #wait(walletId: WalletId, entry: Entry, dueMs: number): number | undefined {
    this.#ticks.get(entry.tick)?.delete(walletId)
    entry.state = "waiting"
    entry.tick = Math.ceil(dueMs / TOGETHER_MS) * TOGETHER_MS
    const waiting = this.#ticks.get(entry.tick)
    waiting?.add(walletId)
    if (waiting !== undefined) return undefined
    this.#ticks.set(entry.tick, new Set([walletId]))
    return entry.tick
  }
}

const prolong = (entry: Entry, untilMs: number, nowMs: number): void => {
  entry.restUntilMs = Math.max(entry.restUntilMs, Math.min(untilMs, nowMs + REST_MS_MAX))
}
