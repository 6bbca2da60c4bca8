import type { PayIn } from "../../../src/domain/PayIn.ts"
import type { StoredTask, Tables } from "../../support/memory/MemoryLedger.ts"
import type { World } from "../World.ts"
import { isReorganised } from "./money.ts"
import { hasForeignOrder, outcomeOf, paidBy } from "./paidIn.ts"
import type { Oracle } from "./Oracle.ts"

/**
 * I13: while a pay-in may come, its order is neither cancelled nor paid for otherwise; and what it brought pays for that
 * order before any other. By what the chain shows, and not by what the ledger says of the pay-in.
 */
export const watchPayIns = (oracle: Oracle, before: Tables, after: Tables): void => {
  if (after.payIns.size === 0 || isReorganised(oracle.world, after)) return
  for (const { payIn } of after.payIns.values()) {
    const [old, task] = [before.tasks.get(payIn.taskId), after.tasks.get(payIn.taskId)]
    if (task !== undefined && old?.status === "pending_payment" && task.status !== old.status) {
      checkMove(oracle, payIn, task, after)
    }
    if (old?.status === "pending_payment" && task?.status !== "funded") checkUntouched(oracle, payIn, before, after)
  }
}

/** Whether some block that counts proves that it can never come. */
const cannotCome = (world: World, payIn: PayIn): boolean => {
  const { chain, confirmations } = world
  const outcome = outcomeOf(world, payIn)
  if (outcome._tag === "Unused") return chain.timeOf(chain.head - confirmations + 1) >= payIn.validBefore * 1000
  return (
    paidBy(world, payIn) === undefined && "block" in outcome && Number(outcome.block) <= chain.head - confirmations + 1
  )
}

const checkMove = (oracle: Oracle, payIn: PayIn, { id, status }: StoredTask, tables: Tables): void => {
  const { world } = oracle
  const name = `task ${id.slice(0, 8)}`
  if (outcomeOf(world, payIn)._tag === "Unused" && !cannotCome(world, payIn)) {
    oracle.report("I13", `${name} is ${status} while its pay-in may still come`)
  }
  const paid = paidBy(world, payIn)
  if (status === "cancelled" && paid !== undefined && !mayBeGone(oracle, payIn, tables)) {
    oracle.report("I13", `${name} is cancelled, and its pay-in arrived in block ${paid.block}`)
  }
}

/**
 * A thief may have taken what it brought, a payment that a restored ledger does not know, or an order that another program
 * set to funded, whether or not money was there for it.
 */
const mayBeGone = (
  { restores, world: { chain, thefts } }: Oracle,
  { payTo, walletId }: PayIn,
  tables: Tables
): boolean =>
  restores > 0 ||
  chain.lost.has(payTo) ||
  chain.transfersOf(payTo).some((one) => thefts.has(one)) ||
  hasForeignOrder(tables, walletId)

/** What it brought is not taken while its order waits: neither by name nor out of the balance. */
const checkUntouched = (oracle: Oracle, payIn: PayIn, before: Tables, after: Tables): void => {
  const paid = paidBy(oracle.world, payIn)
  if (paid === undefined || mayBeGone(oracle, payIn, after)) return
  const name = `task ${payIn.taskId.slice(0, 8)}`
  for (const [key, deposit] of after.deposits) {
    const old = before.deposits.get(key)
    const isIts = deposit.tx === paid.tx && deposit.wallet === payIn.payTo
    if (isIts && old !== undefined && deposit.left < old.left) {
      oracle.report("I13", `what ${name} was paid with in ${paid.tx.slice(0, 8)} is taken for another order`)
    }
  }
}
