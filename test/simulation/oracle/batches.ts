import type { Batch } from "../../../src/domain/Batch.ts"
import type { Tables } from "../../support/memory/MemoryLedger.ts"
import { arrowOf, mayBatchMove } from "./arrows.ts"
import type { Oracle } from "./Oracle.ts"
import { checkLimits } from "./limits.ts"
import { checkMayPay } from "./pauses.ts"
import { checkVoid, checkWaits, onWindow } from "./transfers.ts"

const nameOf = (batch: Batch): string => `batch ${batch.taskId.slice(0, 8)}/${batch.number}`

/** What must not change once a batch is cut. */
const FIXED = ["walletId", "firstMint", "quantity", "amount", "token", "payer", "payTo", "recipient", "nonce"] as const

/** Checks every batch that a transaction wrote. */
export const watchBatches = (oracle: Oracle, before: Tables, after: Tables): void => {
  for (const [key, batch] of after.batches) {
    const old = before.batches.get(key)
    if (old === batch) continue
    if (old === undefined) onCut(oracle, batch, after, before)
    else {
      onStep(oracle, old, batch)
      if (old.status === "planned" && batch.status === "signed") {
        checkMayPay(oracle, nameOf(batch), before, batch.walletId, batch.token)
        checkLimits(oracle, nameOf(batch), before, after, batch)
      }
    }
    checkRow(oracle, batch)
    if (batch.window !== undefined && old?.window !== batch.window) onWindow(oracle, nameOf(batch), batch, batch.window)
  }
  for (const key of before.batches.keys()) {
    if (!after.batches.has(key)) oracle.report("I8", `batch ${key} is gone`)
  }
}

const onCut = (oracle: Oracle, batch: Batch, after: Tables, before: Tables): void => {
  const { tasks } = after
  const { taskId, number, quantity, amount } = batch
  const task = tasks.get(taskId)
  oracle.owners.set(batch.nonce, { taskId, number, quantity, amount })
  if (task === undefined || amount !== task.pricePerMint * BigInt(quantity)) {
    oracle.report("I2", `${nameOf(batch)} is cut at ${amount} for ${quantity} mint(s)`)
  }
  if (batch.status === "paid") checkPaid(oracle, batch)
  else if (batch.status !== "planned" && batch.status !== "held")
    oracle.report("I8", `${nameOf(batch)} begins as ${batch.status}`)
  if (batchesOf(before, taskId).length > 0) checkReplaced(oracle, batch, before, after)
}

const batchesOf = ({ batches }: Tables, taskId: string) =>
  [...batches.values()].filter((batch) => batch.taskId === taskId)

/** Mints are bought again only when no payment for them is possible any more under the nonce that they had. */
const checkReplaced = (oracle: Oracle, batch: Batch, before: Tables, after: Tables): void => {
  const { chain, thefts } = oracle.world
  const old = batchesOf(before, batch.taskId).find(
    ({ number, status }) => status === "held" && after.batches.get(`${batch.taskId}/${number}`)?.status === "resolved"
  )
  if (old === undefined) return oracle.report("I2", `${nameOf(batch)} is cut beside the others of its task`)
  const { _tag: outcome } = chain.outcome(old.payer, old.nonce)
  const isDead = outcome === "Canceled" || (outcome === "Used" && thefts.nonces.has(old.payer + old.nonce))
  if (!isDead) oracle.report("I2", `${nameOf(old)} is bought again, and its nonce is ${outcome}`)
  if (batch.quantity > old.quantity - old.minted) {
    oracle.report("I3", `${nameOf(batch)} buys ${batch.quantity} mints in place of ${old.quantity - old.minted}`)
  }
}

const onStep = (oracle: Oracle, old: Batch, batch: Batch): void => {
  const arrow = arrowOf(old.status, batch.status)
  oracle.takeStep(arrow)
  oracle.world.trace.say("ledger", `${nameOf(batch)}: ${arrow}`)
  if (!mayBatchMove(old.status, batch.status)) oracle.report("I8", `${nameOf(batch)} goes ${arrow}`)
  const changed = FIXED.filter((field) => old[field] !== batch[field])
  if (changed.length > 0) oracle.report("I2", `${nameOf(batch)} has another ${changed.join(", ")}`)
  const { reorganisations } = oracle.world.chain
  if (batch.minted < old.minted && reorganisations === 0)
    oracle.report("I4", `${nameOf(batch)} has fewer mints than before`)
  if (batch.status === "paid" && old.status !== "paid") checkPaid(oracle, batch)
  if (batch.status === "planned" && old.status !== "planned") checkVoid(oracle, nameOf(old), old)
}

const checkPaid = (oracle: Oracle, batch: Batch): void => {
  // It was on chain when it was looked for.
  if (batch.paymentTx !== undefined && oracle.world.chain.gone.has(batch.paymentTx)) return
  const outcome = oracle.world.chain.outcome(batch.payer, batch.nonce)
  if (outcome._tag !== "Used") oracle.report("I2", `${nameOf(batch)} counts as paid, and its nonce is ${outcome._tag}`)
  else if (outcome.tx !== batch.paymentTx) oracle.report("I2", `${nameOf(batch)} counts as paid by ${batch.paymentTx}`)
}

/** Every row that is not final says what it waits for, and until when. */
const checkRow = (oracle: Oracle, batch: Batch): void => {
  const { status, reason } = batch
  const isWaiting = status === "signed" || status === "accepted" || status === "unknown" || status === "paid"
  if (isWaiting) checkWaits(oracle, nameOf(batch), batch)
  if ((isWaiting || status === "held") && !reason) {
    oracle.report("rows", `${nameOf(batch)} is ${status} and says no reason`)
  }
}
