import { Clock, Effect, Result } from "effect"
import { type Address, parse } from "../../../src/domain/Address.ts"
import { isInFlight } from "../../../src/domain/Batch.ts"
import { EVERY_WALLET } from "../../../src/domain/Part.ts"
import { messages } from "../../../src/domain/Task.ts"
import type { WalletId } from "../../../src/domain/Wallet.ts"
import type { WalletWork } from "../../../src/domain/WalletState.ts"
import { isBusy, lookDueMs } from "../../../src/domain/transferPace.ts"
import { type TaskRepo, mintKey, mintRowKey } from "../../../src/ledger/TaskRepo.ts"
import { limitUses } from "./limits.ts"
import type { Methods, StoredTask } from "./MemoryLedger.ts"
import { isIn } from "./pages.ts"
import { reservations } from "./reservations.ts"
import { batchesOf, byText, isHeld, isReserving, pausedBy, sorted, taskState, walletOf, walletState } from "./state.ts"
import { faultOf } from "./wallets.ts"

export const work = {
  dueWallets: ({ read }) =>
    read((tables, nowMs, limit, ranges = EVERY_WALLET) => {
      const batches = [...tables.batches.values()]
      const busy = batches.filter((batch) => isBusy(batch, nowMs))
      const occupied = new Set(busy.flatMap(({ taskId, walletId, token }) => [taskId, `${walletId} ${token}`]))
      const dueMs = new Map<WalletId, number>()
      const note = (walletId: WalletId, atMs: number) => {
        if (atMs <= nowMs && isIn(ranges, walletId)) dueMs.set(walletId, Math.min(atMs, dueMs.get(walletId) ?? atMs))
      }
      for (const batch of batches.filter(isInFlight)) {
        if (batch.nextActionAtMs !== undefined) note(batch.walletId, lookDueMs(batch, nowMs))
      }
      const isStopped = (id: WalletId, token?: Address) =>
        walletState(tables, id).stoppedReason !== undefined || pausedBy(tables, id, token) !== undefined
      for (const refund of tables.refunds.values()) {
        const { walletId, status, nextActionAtMs } = refund
        const isOpen = status === "signed" || (status === "planned" && !isStopped(walletId))
        if (isOpen && nextActionAtMs !== undefined) note(walletId, lookDueMs(refund, nowMs))
      }
      for (const task of tables.tasks.values()) {
        if (!isReserving(task) || isHeld(tables, task.id) || occupied.has(task.id)) continue
        if (occupied.has(`${task.walletId} ${task.token.toLowerCase()}`)) continue
        if (isStopped(task.walletId, parse(task.token))) continue
        const answered = batchesOf(tables, task.id).flatMap(({ status, answerByMs = 0 }) =>
          status === "planned" && answerByMs <= nowMs ? [answerByMs] : []
        )
        note(task.walletId, Math.max(taskState(tables, task.id).nextActionAtMs ?? 0, ...answered))
      }
      return [...dueMs]
        .toSorted(([a, aMs], [b, bMs]) => aMs - bMs || byText(a, b))
        .slice(0, limit)
        .map(([walletId]) => walletId)
    }),

  walletWork: ({ read }) => {
    const readAt = read((tables, walletId: WalletId, nowMs: number): WalletWork => {
      const wallet = walletOf(tables, walletId)
      const paused = pausedBy(tables, walletId)
      const { reserved, maybeSpent } = reservations(tables, walletId, true)
      const isOpen = (task: StoredTask | undefined) =>
        task !== undefined && isReserving(task) && !isHeld(tables, task.id)
      const tasks = [...tables.tasks.values()].filter((task) => task.walletId === walletId && isOpen(task))
      const batches = [...tables.batches.values()]
        .filter((batch) => batch.walletId === walletId && (isInFlight(batch) || isOpen(tables.tasks.get(batch.taskId))))
        .toSorted((a, b) => byText(a.taskId, b.taskId) || a.number - b.number)
      return {
        wallet: Result.isSuccess(wallet) ? wallet.success : undefined,
        provenBlock: walletState(tables, walletId).provenBlock,
        stopped:
          walletState(tables, walletId).stoppedReason ??
          faultOf(tables, walletId) ??
          (paused === undefined ? undefined : messages.paused(paused)),
        pausedTokens: new Map(
          [...tables.pauses.values()]
            .filter(({ scope }) => scope.startsWith("token:"))
            .map(({ scope, reason }) => [scope.slice("token:".length), reason])
        ),
        limits: limitUses(tables, batches, nowMs),
        refunds: [...tables.refunds.values()]
          .filter(
            (refund) => refund.walletId === walletId && (refund.status === "planned" || refund.status === "signed")
          )
          .toSorted((a, b) => a.createdAtMs - b.createdAtMs || byText(a.id, b.id)),
        reserved,
        maybeSpent,
        ...sorted(tables, tasks, wallet),
        held: new Set(batches.map(({ taskId }) => taskId).filter((id) => isHeld(tables, id))),
        batches,
        completed: new Set(
          [...tables.batches.values()]
            .filter(({ walletId: of, taskId }) => of === walletId && tables.tasks.get(taskId)?.status === "completed")
            .filter(isInFlight)
            .map(({ taskId }) => taskId)
        )
      }
    })
    return (walletId) => Effect.flatMap(Clock.currentTimeMillis, (nowMs) => readAt(walletId, nowMs))
  },

  attributedMints: ({ read }) =>
    read((tables, of, mints) => {
      const isTaken = (key: string) => tables.mints.has(key) || tables.strays.has(key)
      return new Set(mints.filter((mint) => isTaken(mintRowKey(of, mint))).map(mintKey))
    }),

  undelivered: ({ read }) =>
    read(
      (tables, token, beforeMs) =>
        [...tables.batches.values()]
          .filter((batch) => batch.status === "paid" && batch.token === (parse(token) ?? token))
          .filter((batch) => batch.statusSinceMs < beforeMs)
          .toSorted((a, b) => a.statusSinceMs - b.statusSinceMs)[0]
    ),

  walletsRefused: ({ read }) =>
    read((tables, reason, sinceMs) => {
      const refused = [...tables.taskStates].filter(
        ([, state]) => state.refusal === reason && state.refusedAtMs !== undefined && state.refusedAtMs > sinceMs
      )
      const wallets = refused.map(([taskId]) => tables.tasks.get(taskId)?.walletId).filter((id) => id !== undefined)
      return new Set(wallets).size
    }),

  openTasks: ({ read }) =>
    read((tables) => {
      const count = (match: (task: StoredTask, held: boolean) => boolean): number =>
        [...tables.tasks.values()].filter((task) => match(task, isHeld(tables, task.id))).length
      return {
        pendingPayment: count((task, held) => task.status === "pending_payment" && !held),
        funded: count((task, held) => task.status === "funded" && !held),
        processing: count((task, held) => task.status === "processing" && !held),
        held: count((task, held) => held && (task.status === "pending_payment" || isReserving(task)))
      }
    })()
} satisfies Methods<TaskRepo["Service"]>
