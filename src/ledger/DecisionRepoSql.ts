import { Effect, Layer } from "effect"
import { DecisionRepo } from "./DecisionRepo.ts"
import { createTask } from "./sql/create.ts"
import { cancel, fail, release, retry } from "./sql/decide.ts"
import { resolveBatch } from "./sql/decideBatch.ts"
import { askRefund, refundsOf, reopenBooks, withdrawRefund } from "./sql/decideMoney.ts"
import { accounts, findTask, findWallets, firstBlock, taskIdsLike } from "./sql/decideReads.ts"
import { walletOrders } from "./sql/orders.ts"
import { pause, pauses, resume } from "./sql/pauses.ts"
import { openStatements } from "./sql/statements.ts"

/** People's decisions in PostgreSQL. Needs the tables: run `migrate` first. */
export const layer = Layer.effect(
  DecisionRepo,
  Effect.gen(function* () {
    const { on, bound } = yield* openStatements
    return DecisionRepo.of({
      taskIdsLike: (start) => bound("look up a task", taskIdsLike(on, start)),
      findTask: (id) => bound("read a task", findTask(on, id)),
      findWallets: (name) => bound("read a wallet", findWallets(on, name)),
      walletOrders: (walletId) => bound("read the orders of a wallet", walletOrders(on, walletId)),
      cancel: (cancellation, block, decision, nowMs) =>
        bound("cancel a task", cancel(on, cancellation, { block, decision, nowMs })),
      retry: (retried, block, decision, nowMs) => bound("retry a task", retry(on, retried, { block, decision, nowMs })),
      release: (released, decision, nowMs) => bound("release a task", release(on, released, decision, nowMs)),
      fail: (failed, decision, nowMs) => bound("fail a task", fail(on, failed, decision, nowMs)),
      resolveBatch: (resolution, decision, nowMs) =>
        bound("resolve a batch", resolveBatch(on, resolution, decision, nowMs)),
      askRefund: (refund, evidence, block, decision) =>
        bound("ask for a refund", askRefund(on, refund, evidence, { block, decision })),
      refundsOf: (walletId) => bound("read refunds", refundsOf(on, walletId)),
      withdrawRefund: (withdrawal, decision, nowMs) =>
        bound("withdraw a refund", withdrawRefund(on, withdrawal, decision, nowMs)),
      reopenBooks: (opening, block, decision, nowMs) =>
        bound("reopen the books of a wallet", reopenBooks(on, opening, { block, decision, nowMs })),
      createTask: (order, decision, nowMs) => bound("create a task", createTask(on, order, decision, nowMs)),
      pauses: bound("read the pauses", pauses(on)),
      pause: (paused, decision) => bound("pause", pause(on, paused, decision)),
      resume: (scope, decision, nowMs) => bound("resume", resume(on, scope, decision, nowMs)),
      accounts: (page) => bound("read accounts", accounts(on, page)),
      firstBlock: bound("read the first block", firstBlock(on))
    })
  })
)
