import { Effect } from "effect"
import { MemoryLedger, type OrderInsert, type Tables, type WalletInsert } from "../../src/task/MemoryLedger.ts"

/** The database of a run. It outlives the processes, and whoever watches sees every change that is committed. */
export class Ledger {
  readonly service: MemoryLedger["Service"]
  readonly #real: MemoryLedger["Service"]

  constructor(watch: (before: Tables, after: Tables) => void) {
    const real = Effect.runSync(Effect.provide(MemoryLedger, MemoryLedger.layer))
    this.#real = real
    this.service = {
      ...real,
      transact: (change) =>
        // In one go: a fiber may have to yield between any two effects.
        Effect.sync(() => {
          const before = this.tables
          const answer = Effect.runSync(real.transact(change))
          watch(before, this.tables)
          return answer
        })
    }
  }

  get tables(): Tables {
    return Effect.runSync(this.#real.backup)
  }

  insertWallet(wallet: WalletInsert): void {
    Effect.runSync(this.#real.insertWallet(wallet))
  }

  insertOrder(order: OrderInsert): void {
    Effect.runSync(this.#real.insertOrder(order))
  }

  restore(backup: Tables): void {
    Effect.runSync(this.#real.restore(backup))
  }
}
