import { Effect, Layer } from "effect"
import type { WalletId } from "../../src/domain/Wallet.ts"
import { Ownership } from "../../src/runners/Ownership.ts"
import type { Process } from "./Process.ts"
import type { Random } from "./random.ts"
import type { World } from "./World.ts"

/** Fewer than in production, as a run has few wallets: an executor that owns some of them should find something to do. */
const PARTS = [0, 1, 2, 3]

const partOf = (walletId: WalletId): number => Number.parseInt(walletId.slice(0, 8), 16) % PARTS.length

/** What a process takes for its own: everything, unless a division has told it otherwise. */
export const ownership = ({ ledger }: World, process: Process): Layer.Layer<Ownership> => {
  const owns = (walletId: WalletId): boolean => process.owned?.has(partOf(walletId)) ?? true
  return Layer.succeed(Ownership, {
    owns,
    parts: Effect.sync(() => [...(process.owned ?? PARTS)]),
    // Ids of a run differ in their end, so that its parts are no ranges of them: each wallet is one.
    ranges: Effect.sync(() =>
      [...ledger.tables.wallets.values()].filter(({ id }) => owns(id)).map(({ id }) => ({ first: id, last: id }))
    ),
    gained: Effect.callback((resume) => void process.onGain.push(() => resume(Effect.void))),
    leave: Effect.sync(() => void (process.owned = new Set()))
  })
}

/** After how many seconds a process takes note. Until then two own the same wallets, or none does. */
const GAINED_SECONDS = [0, 0, 2, 10]
const LOST_SECONDS = [0, 2, 20, 90]

/**
 * Who owns which wallets, in runs in which executors divide them. It is drawn anew whenever one starts or ends, and takes
 * effect at each of them at a moment of its own, in the middle of whatever it does.
 */
export class Owners {
  readonly #world: World
  readonly #random: Random
  readonly #isDivided: boolean
  #division = 0

  constructor(world: World) {
    this.#world = world
    this.#isDivided = world.faults.strikes("executors divide the wallets", 1.5)
    this.#random = world.faults.random("executors divide the wallets")
  }

  /** Before it works for any wallet. */
  welcome(process: Process): void {
    if (this.#isDivided) process.owned = new Set()
  }

  /** Now and then another one owns a wallet, though none of them started or ended. */
  changeHands(processes: ReadonlyArray<Process>): void {
    if (this.#isDivided && this.#world.faults.strikes("wallets change hands")) this.divideAmong(processes)
  }

  divideAmong(processes: ReadonlyArray<Process>): void {
    if (!this.#isDivided || processes.length === 0) return
    const { faults, timeline, trace } = this.#world
    const division = ++this.#division
    const owners = PARTS.map(() => this.#random.pick(processes))
    const after = (seconds: ReadonlyArray<number>): number =>
      timeline.nowMs + (faults.isHealed ? 0 : this.#random.pick(seconds) * 1000)
    const change = (process: Process, atMs: number, does: (owned: ReadonlySet<number>) => ReadonlySet<number>) =>
      process.at(atMs, () => {
        // A later division has told it all anew.
        if (division !== this.#division) return
        process.owned = does(process.owned ?? new Set())
        trace.say(process.name, `takes the parts ${[...process.owned].join(", ") || "of none"} for its own`)
        for (const wake of process.onGain.splice(0)) wake()
      })
    for (const process of processes) {
      const own = new Set(PARTS.filter((part) => owners[part] === process))
      change(process, after(GAINED_SECONDS), (owned) => new Set([...owned, ...own]))
      change(process, after(LOST_SECONDS), (owned) => new Set([...owned].filter((part) => own.has(part))))
    }
  }
}
