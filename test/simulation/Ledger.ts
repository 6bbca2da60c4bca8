import { Effect } from "effect"
import { address } from "../../src/domain/Address.ts"
import { type PayIn, payInKey } from "../../src/domain/PayIn.ts"
import type { TaskId } from "../../src/domain/Task.ts"
import {
  MemoryLedger,
  newTask,
  type OrderInsert,
  type Tables,
  type TaskEdit,
  type WalletInsert
} from "../support/memory/MemoryLedger.ts"
import { touchWallet } from "../support/memory/state.ts"
import type { Process } from "./Process.ts"

type Watch = (before: Tables, after: Tables, by: Process) => void

/** The database of a run. It outlives the processes, and its watcher gets every change that is committed. */
export class Ledger {
  readonly #real: MemoryLedger["Service"]
  readonly #watch: Watch

  constructor(watch: Watch) {
    this.#real = Effect.runSync(Effect.provide(MemoryLedger, MemoryLedger.layer))
    this.#watch = watch
  }

  serviceFor(process: Process): MemoryLedger["Service"] {
    return {
      ...this.#real,
      transact: (change) =>
        // In one go: a fiber may have to yield between any two effects.
        Effect.sync(() => {
          const before = this.tables
          const answer = Effect.runSync(this.#real.transact(change))
          this.#watch(before, this.tables, process)
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

  /** An order with the pay-in that its client has signed, in one transaction. */
  insertPaidOrder(order: Required<OrderInsert>, payIn: PayIn): void {
    const row = newTask(order)
    const { token, quantity, userAddress } = order
    Effect.runSync(
      this.#real.transact((draft) => {
        touchWallet(draft, row.walletId)
        draft.tasks.set(row.id, row)
        draft.payIns.set(payInKey(payIn), { payIn, token: address(token), quantity, recipient: address(userAddress) })
      })
    )
  }

  /** Another program, or a person with SQL, changes a row. */
  editOrder(id: TaskId, edit: TaskEdit): void {
    Effect.runSync(this.#real.editTask(id, edit))
  }

  restore(backup: Tables): void {
    Effect.runSync(this.#real.restore(backup))
  }
}
