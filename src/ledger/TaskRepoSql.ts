import { Effect, Layer, Schedule, type Schema } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import { plan, saveBatch, saveTask } from "./sql/change.ts"
import { knownNonces, recordDeposits, stopWallet, unspentDeposits } from "./sql/deposits.ts"
import { endHolds, heldForKeys, sampleWallets } from "./sql/keyHolds.ts"
import { idlePage, pendingPage } from "./sql/orders.ts"
import { notePauses, unnotedPauses } from "./sql/pauses.ts"
import { checkWallets } from "./sql/pins.ts"
import { saveRefund } from "./sql/refunds.ts"
import {
  addAnchor,
  anchors,
  endReorganisation,
  noteProofs,
  recordedAbove,
  rewind,
  withdrawDeposits
} from "./sql/reorganisations.ts"
import { openStatements } from "./sql/statements.ts"
import { cancel, fund, hold } from "./sql/sweep.ts"
import { noteUsdcCode } from "./sql/usdcCode.ts"
import { attributedMints, dueWallets, openTasks, undelivered, walletsRefused, walletWork } from "./sql/work.ts"
import { TaskRepo } from "./TaskRepo.ts"

/** Connections that died while idle fail once each: a read is worth a second and a third try. */
const READ_AGAIN = Schedule.upTo(Schedule.spaced("100 millis"), { times: 2 })

/** The ledger in PostgreSQL. Needs the tables: run `migrate` first. */
export const layer = Layer.effect(
  TaskRepo,
  Effect.gen(function* () {
    const { on, bound } = yield* openStatements
    const read = <A>(operation: string, query: Effect.Effect<A, SqlError | Schema.SchemaError>) =>
      bound(operation, query).pipe(
        Effect.retry({ schedule: READ_AGAIN, while: (error) => error.reason === "Unavailable" })
      )
    return TaskRepo.of({
      pendingPage: (page) => read("read pending tasks", pendingPage(on, page)),
      idlePage: (page) => read("read idle wallets", idlePage(on, page)),
      recordDeposits: (found, counted, block) => bound("record deposits", recordDeposits(on, found, counted, block)),
      unspentDeposits: (walletIds) => read("read unspent deposits", unspentDeposits(on, walletIds)),
      stopWallet: (stop, nowMs) => bound("stop a wallet", stopWallet(on, stop, nowMs)),
      checkWallets: (nowMs) => bound("check the wallets", checkWallets(on, nowMs)),
      knownNonces: (nonces) => read("look up nonces", knownNonces(on, nonces)),
      fund: (fundings, block, nowMs) => bound("fund tasks", fund(on, fundings, block, nowMs)),
      cancel: (cancellations, block, nowMs) => bound("cancel tasks", cancel(on, cancellations, block, nowMs)),
      hold: (tasks, nowMs, options) => bound("hold tasks", hold(on, tasks, nowMs, options)),
      heldForKeys: (limit) => read("read orders held for a key", heldForKeys(on, limit)),
      endHolds: (holds, nowMs) => bound("end holds", endHolds(on, holds, nowMs)),
      unnotedPauses: (limit) => read("read orders that a pause keeps waiting", unnotedPauses(on, limit)),
      notePauses: (taskIds) => bound("note pauses", notePauses(on, taskIds)),
      sampleWallets: (count) => read("read a sample of the wallets", sampleWallets(on, count)),
      dueWallets: (nowMs, limit) => read("read due wallets", dueWallets(on, nowMs, limit)),
      walletWork: (walletId) => read("read the work of a wallet", walletWork(on, walletId)),
      plan: (task, batches, nowMs) => bound("plan a task", plan(on, task, batches, nowMs)),
      saveBatch: (save, nowMs) => bound("save a batch", saveBatch(on, save, nowMs)),
      saveRefund: (save, nowMs) => bound("save a refund", saveRefund(on, save, nowMs)),
      saveTask: (expected, change, nowMs) => bound("save a task", saveTask(on, expected, change, nowMs)),
      attributedMints: (of, mints) => read("read attributed mints", attributedMints(on, of, mints)),
      undelivered: (token, beforeMs) => read("read undelivered batches", undelivered(on, token, beforeMs)),
      walletsRefused: (reason, sinceMs) => read("count refusals", walletsRefused(on, reason, sinceMs)),
      noteUsdcCode: (look, nowMs) => bound("note the code of USDC", noteUsdcCode(on, look, nowMs)),
      anchors: read("read anchors", anchors(on)),
      noteProofs: (blocks) => bound("note proofs", noteProofs(on, blocks)),
      addAnchor: (anchor, superfluous) => bound("add an anchor", addAnchor(on, anchor, superfluous)),
      recordedAbove: (fork) => read("read what a reorganisation concerns", recordedAbove(on, fork)),
      rewind: (fork) => bound("rewind", rewind(on, fork)),
      withdrawDeposits: (gone, nowMs) => bound("withdraw deposits", withdrawDeposits(on, gone, nowMs)),
      endReorganisation: (at, nowMs) => bound("end a reorganisation", endReorganisation(on, at, nowMs)),
      openTasks: read("count open tasks", openTasks(on))
    })
  })
)
