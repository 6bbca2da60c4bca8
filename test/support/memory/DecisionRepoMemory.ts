import { Effect, Layer } from "effect"
import { DecisionRepo } from "../../../src/ledger/DecisionRepo.ts"
import {
  askRefund,
  cancel,
  createTask,
  fail,
  refundsOf,
  release,
  reopenBooks,
  resolveBatch,
  retry,
  withdrawRefund
} from "./decide.ts"
import { accounts, findTask, findWallets, taskIdsLike } from "./files.ts"
import { MemoryLedger } from "./MemoryLedger.ts"
import { pause, pauses, resume } from "./pauses.ts"
import { walletOrders } from "./orders.ts"

/** People's decisions over a `MemoryLedger`, with every promise of the ones in PostgreSQL. */
export const layerNoDeps = Layer.effect(
  DecisionRepo,
  Effect.gen(function* () {
    const { read, transact } = yield* MemoryLedger
    return DecisionRepo.of({
      taskIdsLike: (start) => read((tables) => taskIdsLike(tables, start)),
      findTask: (id) => read((tables) => findTask(tables, id)),
      findWallets: (name) => read((tables) => findWallets(tables, name)),
      walletOrders: (walletId) => read((tables) => walletOrders(tables, walletId)),
      cancel: (cancellation, block, decision, nowMs) =>
        transact((draft) => cancel(draft, cancellation, { block, decision, nowMs })),
      retry: (retried, block, decision, nowMs) =>
        transact((draft) => retry(draft, retried, { block, decision, nowMs })),
      release: (released, decision, nowMs) => transact((draft) => release(draft, released, decision, nowMs)),
      fail: (failed, decision, nowMs) => transact((draft) => fail(draft, failed, decision, nowMs)),
      resolveBatch: (resolution, decision, nowMs) =>
        transact((draft) => resolveBatch(draft, resolution, decision, nowMs)),
      askRefund: (refund, evidence, block, decision) =>
        transact((draft) => askRefund(draft, refund, evidence, { block, decision })),
      refundsOf: (walletId) => read((tables) => refundsOf(tables, walletId)),
      withdrawRefund: (withdrawal, decision, nowMs) =>
        transact((draft) => withdrawRefund(draft, withdrawal, decision, nowMs)),
      reopenBooks: (opening, block, decision, nowMs) =>
        transact((draft) => reopenBooks(draft, opening, { block, decision, nowMs })),
      createTask: (order, decision, nowMs) => transact((draft) => createTask(draft, order, decision, nowMs)),
      pauses: read(pauses),
      pause: (paused, decision) => transact((draft) => pause(draft, paused, decision)),
      resume: (scope, decision, nowMs) => transact((draft) => resume(draft, scope, decision, nowMs)),
      accounts: (page) => read((tables) => accounts(tables, page)),
      // A ledger in memory is of no chain, and has seen all of it.
      firstBlock: Effect.succeed(0n)
    })
  })
)
