import { isLive } from "../../../src/domain/Authorization.ts"
import { type Batch, isFinal } from "../../../src/domain/Batch.ts"
import { type Usdc, sum, usdc, zero } from "../../../src/domain/Usdc.ts"
import type { WalletId } from "../../../src/domain/Wallet.ts"
import type { StoredTask, Tables } from "./MemoryLedger.ts"
import { isReserving, taskState } from "./state.ts"

/** What a batch keeps from being spent twice, and how much of that may be spent already. */
const claimOf = (
  batch: Batch,
  task: StoredTask | undefined
): { readonly reserved: Usdc; readonly maybeSpent: Usdc } => {
  const nothing = { reserved: zero, maybeSpent: zero }
  if (isFinal(batch) || batch.paymentTx !== undefined) return nothing
  const atStake = isReserving(task) ? batch.amount : isLive(batch) ? (batch.window?.amount ?? zero) : zero
  return { reserved: atStake, maybeSpent: isLive(batch) ? atStake : zero }
}

/** Another program may be paying for it. */
const isForeign = (tables: Tables, { id, status }: StoredTask): boolean => {
  const { adoptedAtMs, reservedAtBlock } = taskState(tables, id)
  return adoptedAtMs === undefined && (status === "processing" || reservedAtBlock === undefined)
}

/** The twin of `reservations` of the SQL side, where the rules are told. */
export const reservations = (tables: Tables, walletId: WalletId, onlyOurs: boolean) => {
  const planned = new Set([...tables.batches.values()].map((batch) => batch.taskId))
  const unplanned = [...tables.tasks.values()].filter(
    (task) =>
      task.walletId === walletId &&
      isReserving(task) &&
      !planned.has(task.id) &&
      (!onlyOurs || taskState(tables, task.id).reservedAtBlock !== undefined)
  )
  const claims = [...tables.batches.values()]
    .filter((batch) => batch.walletId === walletId)
    .map((batch) => claimOf(batch, tables.tasks.get(batch.taskId)))
  const refunds = [...tables.refunds.values()].filter(
    ({ walletId: id, status, keepsMoney }) =>
      id === walletId && (status === "planned" || status === "signed" || (status === "held" && keepsMoney))
  )
  const costOf = (task: StoredTask) => task.totalCost - task.pricePerMint * BigInt(task.mintsCompleted)
  const costs = (tasks: ReadonlyArray<StoredTask>) => sum(tasks.map(costOf).map((cost) => usdc(cost > 0n ? cost : 0n)))
  const foreign = costs(unplanned.filter((task) => isForeign(tables, task)))
  return {
    reserved: sum([
      ...claims.map((claim) => claim.reserved),
      ...refunds.map((refund) => refund.amount),
      costs(unplanned)
    ]),
    maybeSpent: sum([
      ...claims.map((claim) => claim.maybeSpent),
      ...refunds.filter(({ status }) => status === "signed").map((refund) => refund.amount),
      foreign
    ]),
    foreign
  }
}
