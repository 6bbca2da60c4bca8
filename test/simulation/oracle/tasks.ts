import type { TaskId } from "../../../src/domain/Task.ts"
import type { StoredTask, Tables } from "../../support/memory/MemoryLedger.ts"
import type { Process } from "../Process.ts"
import { mayTaskMove } from "./arrows.ts"
import { checkCancelled, checkOwed } from "./money.ts"
import type { Oracle } from "./Oracle.ts"

const nameOf = (id: TaskId): string => `task ${id.slice(0, 8)}`

/** Checks every task that a transaction wrote. */
export const watchTasks = (oracle: Oracle, before: Tables, after: Tables, by: Process): void => {
  for (const [id, task] of after.tasks) {
    const old = before.tasks.get(id)
    if (old === task || old === undefined) continue
    if (old.status !== task.status) onMove(oracle, [old, task], after, by)
    checkCount(oracle, task, after)
  }
  for (const [id, state] of after.taskStates) {
    const old = before.taskStates.get(id)
    if (old?.heldAtMs === undefined && state.heldAtMs !== undefined) {
      oracle.world.trace.say("ledger", `${nameOf(id)} is held: ${state.heldReason}`)
      if (!state.heldReason) oracle.report("rows", `${nameOf(id)} is held and says no reason`)
    }
  }
}

const onMove = (oracle: Oracle, [old, task]: readonly [StoredTask, StoredTask], tables: Tables, by: Process): void => {
  const arrow = `${old.status} → ${task.status}`
  oracle.world.trace.say("ledger", `${nameOf(task.id)}: ${arrow}`)
  if (!mayTaskMove(old.status, task.status)) oracle.report("I8", `${nameOf(task.id)} goes ${arrow}`)
  if (task.status === "funded") {
    oracle.funded.add(task.id)
    checkOwed(oracle, nameOf(task.id), task.walletId, tables)
  }
  if (task.status === "cancelled") checkCancelled(oracle, task, tables, by)
  if (task.status === "completed" || task.status === "failed") checkEnd(oracle, task, tables)
}

const batchesOf = (tables: Tables, id: TaskId) => [...tables.batches.values()].filter((batch) => batch.taskId === id)

const checkEnd = (oracle: Oracle, task: StoredTask, tables: Tables): void => {
  const { chain } = oracle.world
  const batches = batchesOf(tables, task.id)
  if (task.status === "completed" && task.mintsCompleted !== task.quantity) {
    oracle.report("I4", `${nameOf(task.id)} is completed with ${task.mintsCompleted} of ${task.quantity} mints`)
  }
  if (task.status !== "failed") return
  for (const { number, status, window } of batches) {
    const isSigned = status === "signed" || status === "accepted" || status === "unknown"
    if (isSigned) oracle.report("I8", `${nameOf(task.id)} fails while batch ${number} is ${status}`)
    if (window !== undefined && isSigned && chain.timeOf(chain.head) < window.validBefore * 1000) {
      oracle.report("I2", `${nameOf(task.id)} fails while batch ${number} can still be paid`)
    }
  }
}

/** The counters follow from the batch rows. */
const checkCount = (oracle: Oracle, task: StoredTask, tables: Tables): void => {
  const countedByV1 = oracle.world.byV1.counted.get(task.id) ?? 0
  const minted = batchesOf(tables, task.id).reduce((sum, batch) => sum + batch.minted, countedByV1)
  if (task.mintsCompleted !== minted) {
    oracle.report("I4", `${nameOf(task.id)} counts ${task.mintsCompleted} mints, its batches ${minted}`)
  }
  if (task.mintsCompleted > task.quantity) {
    oracle.report("I3", `${nameOf(task.id)} has ${task.mintsCompleted} mints of ${task.quantity}`)
  }
}
