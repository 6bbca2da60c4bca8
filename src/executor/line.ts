import type { WalletId } from "../domain/Wallet.ts"

/** A wallet that is called comes in a moment. For one that rests, or that came to an end, no place is kept longer. */
const CALL_MS = 5_000

/**
 * The wallets that wait for a place, each once, in the order in which they came. It runs nothing: `call` gives those for
 * which a place is kept from now on, and the caller wakes them. A wallet that takes no place when it is woken leaves the
 * line. Times of calls are of a clock that never jumps.
 */
export class Line {
  /** With the time of this process at which there is other work for the wallet. */
  readonly #waiting = new Map<WalletId, number>()
  /** Those for which a place is kept, and since when. */
  readonly #called = new Map<WalletId, number>()

  get size(): number {
    return this.#waiting.size
  }

  isCalled(walletId: WalletId): boolean {
    return this.#called.has(walletId)
  }

  /** Whether there is nothing to do for a wallet at this time of the process but to wait. */
  isIdle(walletId: WalletId, nowMs: number): boolean {
    return !this.isCalled(walletId) && (this.#waiting.get(walletId) ?? 0) > nowMs
  }

  /** There is no other work for a wallet in line before that time of the process. */
  waitUntil(walletId: WalletId, dueMs: number): void {
    if (this.#waiting.has(walletId)) this.#waiting.set(walletId, dueMs)
  }

  /** Whether the wallet may have one of so many free places; else it is in line. One that was called keeps its position. */
  admit(walletId: WalletId, free: number): boolean {
    const isCalled = this.isCalled(walletId)
    const isNext = isCalled || this.size === this.#called.size
    if (isNext && free > (isCalled ? 0 : this.#called.size)) {
      this.leave(walletId)
      return true
    }
    this.#called.delete(walletId)
    this.#waiting.set(walletId, 0)
    return false
  }

  leave(walletId: WalletId): void {
    this.#waiting.delete(walletId)
    this.#called.delete(walletId)
  }

  /** Keeps so many free places for the first in line. Gives those that were not called before. */
  call(free: number, nowMs: number): ReadonlyArray<WalletId> {
    for (const [walletId, sinceMs] of this.#called) {
      if (nowMs - sinceMs < CALL_MS) break
      this.leave(walletId)
    }
    const next: Array<WalletId> = []
    for (const walletId of this.#waiting.keys()) {
      if (this.#called.size >= free) break
      if (this.isCalled(walletId)) continue
      this.#called.set(walletId, nowMs)
      next.push(walletId)
    }
    return next
  }

  /** When the first call lapses; never where there is none. */
  get lapsesMs(): number {
    const [sinceMs = Number.POSITIVE_INFINITY] = this.#called.values()
    return sinceMs + CALL_MS
  }
}
