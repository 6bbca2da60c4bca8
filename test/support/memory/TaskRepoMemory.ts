import { Effect, Layer } from "effect"
import { mayMove, type Task } from "../../../src/domain/Task.ts"
import { MemoryLedger } from "./MemoryLedger.ts"
import { plan, saveBatch, saveTask } from "./change.ts"
import { knownNonces, recordDeposits, stopWallet, unspentDeposits } from "./deposits.ts"
import { endHolds, heldForKeys, sampleWallets } from "./keyHolds.ts"
import { idlePage, pendingPage } from "./orders.ts"
import { notePauses, unnotedPauses } from "./pauses.ts"
import { checkWallets } from "./pins.ts"
import { saveRefund } from "./refunds.ts"
import {
  addAnchor,
  anchors,
  endReorganisation,
  noteProofs,
  recordedAbove,
  rewind,
  withdrawDeposits
} from "./reorganisations.ts"
import { cancel, fund, hold } from "./sweep.ts"
import { noteUsdcCode } from "./usdcCode.ts"
import { attributedMints, dueWallets, openTasks, undelivered, walletsRefused, walletWork } from "./work.ts"
import { type TaskChange, TaskRepo } from "../../../src/ledger/TaskRepo.ts"

/**
 * The ledger over a `MemoryLedger`, with every promise of the one in PostgreSQL: the contract suite runs on both. Built
 * anew it is a restarted process, built twice it is two of them.
 */
export const layerNoDeps = Layer.effect(
  TaskRepo,
  Effect.gen(function* () {
    const { read, transact } = yield* MemoryLedger
    return TaskRepo.of({
      pendingPage: (page) => read((tables) => pendingPage(tables, page)),
      idlePage: (page) => read((tables) => idlePage(tables, page)),
      recordDeposits: (found, counted, block) => transact((draft) => recordDeposits(draft, found, counted, block)),
      unspentDeposits: (walletIds) => read((tables) => unspentDeposits(tables, walletIds)),
      stopWallet: (stop, nowMs) => transact((draft) => stopWallet(draft, stop, nowMs)),
      checkWallets: (nowMs) => transact((draft) => checkWallets(draft, nowMs)),
      knownNonces: (nonces) => read((tables) => knownNonces(tables, nonces)),
      fund: (fundings, block, nowMs) => transact((draft) => fund(draft, fundings, block, nowMs)),
      cancel: (cancellations, block, nowMs) => transact((draft) => cancel(draft, cancellations, block, nowMs)),
      hold: (tasks, nowMs, options) => transact((draft) => hold(draft, tasks, nowMs, options)),
      heldForKeys: (limit) => read((tables) => heldForKeys(tables, limit)),
      endHolds: (holds, nowMs) => transact((draft) => endHolds(draft, holds, nowMs)),
      unnotedPauses: (limit) => read((tables) => unnotedPauses(tables, limit)),
      notePauses: (taskIds) => transact((draft) => notePauses(draft, taskIds)),
      sampleWallets: (count) => read((tables) => sampleWallets(tables, count)),
      dueWallets: (nowMs, limit) => read((tables) => dueWallets(tables, nowMs, limit)),
      walletWork: (walletId) => read((tables) => walletWork(tables, walletId)),
      plan: (task, batches, nowMs) =>
        Effect.andThen(
          onlyAlongArrows(task, { status: "processing" }),
          transact((draft) => plan(draft, task, batches, nowMs))
        ),
      saveBatch: (save, nowMs) =>
        Effect.andThen(
          save.task === undefined ? Effect.void : onlyAlongArrows(save.task.expected, save.task.change),
          transact((draft) => saveBatch(draft, save, nowMs))
        ),
      saveRefund: (save) => transact((draft) => saveRefund(draft, save)),
      saveTask: (expected, change, nowMs) =>
        Effect.andThen(
          onlyAlongArrows(expected, change),
          transact((draft) => saveTask(draft, expected, change, nowMs))
        ),
      attributedMints: (of, mints) => read((tables) => attributedMints(tables, of, mints)),
      undelivered: (token, beforeMs) => read((tables) => undelivered(tables, token, beforeMs)),
      walletsRefused: (reason, sinceMs) => read((tables) => walletsRefused(tables, reason, sinceMs)),
      noteUsdcCode: (look, nowMs) => transact((draft) => noteUsdcCode(draft, look, nowMs)),
      anchors: read(anchors),
      noteProofs: (blocks) => transact((draft) => noteProofs(draft, blocks)),
      addAnchor: (anchor, superfluous) => transact((draft) => addAnchor(draft, anchor, superfluous)),
      recordedAbove: (fork) => read((tables) => recordedAbove(tables, fork)),
      rewind: (fork) => transact((draft) => rewind(draft, fork)),
      withdrawDeposits: (gone) => transact((draft) => withdrawDeposits(draft, gone)),
      endReorganisation: ({ fork }) => transact((draft) => endReorganisation(draft, fork)),
      openTasks: read(openTasks)
    })
  })
)

/** With a database of its own, which the other programs of a test write to as well. */
export const layer = layerNoDeps.pipe(Layer.provideMerge(MemoryLedger.layer))

const onlyAlongArrows = ({ status }: Task, change: TaskChange): Effect.Effect<void> =>
  change.status === undefined || change.status === status || mayMove(status, change.status)
    ? Effect.void
    : Effect.die(new Error(`a task never goes from ${status} to ${change.status}`))
