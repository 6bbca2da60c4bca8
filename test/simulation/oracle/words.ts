import { nextWords, type NextWords, type OrderSeen, refundableOf } from "../../../src/domain/nextAction.ts"
import { lookAtPayIn } from "../../../src/domain/PayIn.ts"
import { decidePayment, type Evidence, recordedHistory } from "../../../src/domain/PaymentDecision.ts"
import type { TaskId } from "../../../src/domain/Task.ts"
import { type Usdc, usdc, zero } from "../../../src/domain/Usdc.ts"
import type { WalletId } from "../../../src/domain/Wallet.ts"
import type { StoredTask, Tables } from "../../support/memory/MemoryLedger.ts"
import { ordersOf } from "../../support/memory/pages.ts"
import { batchesOf, isHeld, taskRow } from "../../support/memory/state.ts"
import type { Process } from "../Process.ts"
import type { World } from "../World.ts"
import { isReorganised, PAYMENT_TIMEOUT_MS } from "./money.ts"
import type { Oracle } from "./Oracle.ts"

const PACE = { paymentTimeoutMs: PAYMENT_TIMEOUT_MS, checkMs: 10_000, blockMs: 2_000 }

/** What is known of a wallet's money by the ledger and the block that `by` has last seen. */
const evidenceOf = ({ chain }: World, tables: Tables, walletId: WalletId, by: Process): Evidence | undefined => {
  const { orders } = ordersOf(tables, walletId)
  if (orders === undefined) return undefined
  const block = chain.blockAt(by.served)
  const balance = usdc(chain.balance(orders.wallet.agentAddress, by.served))
  const deposits = [...tables.deposits.values()]
    .filter((deposit) => deposit.walletId === walletId && deposit.left > 0n && !deposit.isWithdrawn)
    .toSorted((a, b) => Number(a.block.number - b.block.number))
  return {
    ...recordedHistory(orders, balance, deposits),
    orders,
    payIns: orders.payIns.map((one) => lookAtPayIn(one, chain.outcome(one.payer, one.nonce, by.served), block)),
    balance,
    block,
    isUsdcPaused: chain.isPaused,
    awaitsDeposits: true,
    ledgerAheadMs: 0,
    paymentTimeoutMs: PAYMENT_TIMEOUT_MS
  }
}

/** What a program that asks about the order is told by then. */
const wordsOf = (world: World, tables: Tables, stored: StoredTask, evidence: Evidence | undefined): NextWords => {
  const row = taskRow(tables, stored)
  const task = evidence?.orders.pending.find(({ id }) => id === row.id)
  const order: OrderSeen = {
    ...row,
    isHeld: isHeld(tables, row.id),
    agentAddress: evidence?.orders.wallet.agentAddress,
    batches: new Set(batchesOf(tables, row.id).map(({ status }) => status)),
    received: undefined,
    payment: evidence && task && { task, evidence, decision: decidePayment(evidence, task) },
    step: undefined,
    ended: evidence && { isStopped: evidence.orders.stopped !== undefined, credit: refundableOf(evidence) }
  }
  const { nowMs } = world.timeline
  return nextWords(order, { ...PACE, nowMs, chainMs: nowMs })
}

const nameOf = (id: TaskId): string => `task ${id.slice(0, 8)}`

/** What programs are told agrees with what the executor does, at every step of an order that waits or ends. */
export const watchWords = (oracle: Oracle, before: Tables, after: Tables, by: Process): void => {
  const { world } = oracle
  // Until a sweep has looked into a reorganisation, what is said and done is by the chain that was.
  if (isReorganised(world, after)) return
  for (const [id, task] of after.tasks) {
    const old = before.tasks.get(id)
    if (old === undefined || old.status === task.status || by.served === 0) continue
    const was = evidenceOf(world, before, task.walletId, by)
    if (old.status === "pending_payment" && !by.isOperator && wordsOf(world, before, old, was).nextAction === "pay") {
      oracle.report("words", `${nameOf(id)} becomes ${task.status} by a block in which it was still to be paid`)
    }
    const is = evidenceOf(world, after, task.walletId, by)
    checkEnded(oracle, after, task, wordsOf(world, after, task, is))
    if (is !== undefined) checkPayable(oracle, after, is)
  }
}

/** No other order takes the place of one of which a payment can still be made. */
const checkEnded = (oracle: Oracle, tables: Tables, { id }: StoredTask, { nextAction }: NextWords): void => {
  if (nextAction !== "new_order" && nextAction !== "none") return
  const { chain } = oracle.world
  type Sent = Oracle["sent"][number]["payment"]
  const isOpen = ({ from, nonce, validBefore }: Sent) =>
    chain.outcome(from, nonce)._tag === "Unused" && chain.timeOf(chain.head) < validBefore * 1000
  const isOurs = (nonce: Sent["nonce"]) =>
    oracle.owners.get(nonce)?.taskId === id && !oracle.forgotten.has(nonce) && tables.batches.size > 0
  if (oracle.sent.some(({ payment }) => isOurs(payment.nonce) && isOpen(payment))) {
    oracle.report("words", `${nameOf(id)} is told ${nextAction}, and a payment of it may still be made`)
  }
}

/** The amount that is asked for funds the order, whether or not the unproven payments of its wallet were made. */
const checkPayable = (oracle: Oracle, tables: Tables, evidence: Evidence): void => {
  const { reserved } = evidence.orders
  if (evidence.balance < reserved) return
  for (const task of evidence.orders.pending) {
    const stored = tables.tasks.get(task.id)
    if (stored === undefined) continue
    const { nextAction, amountDue } = wordsOf(oracle.world, tables, stored, evidence)
    if (nextAction !== "pay" || amountDue === undefined) continue
    for (const isMade of [true, false]) {
      const then = decidePayment(proven(paidIn(evidence, amountDue, oracle.world.timeline.nowMs), isMade), task)
      if (then._tag === "Fund") continue
      const why = then._tag === "Wait" ? then.why._tag : then._tag
      oracle.report("words", `${nameOf(task.id)} is to be paid ${amountDue}, which would not fund it: ${why}`)
    }
  }
}

/** The same with a transfer that is made now: however far the block is behind, it comes after the orders that there are. */
const paidIn = (evidence: Evidence, amount: Usdc, nowMs: number): Evidence => {
  const { balance, block, deposits, orders } = evidence
  const at = { number: block.number + 1n, timeMs: Math.max(nowMs, block.timeMs + 2_000) }
  const { agentAddress: wallet, userAddress: from } = orders.wallet
  const deposit = { wallet, from, tx: "0x", logIndex: 0, amount, left: amount, block: at } as const
  return { ...evidence, balance: usdc(balance + amount), deposits: deposits && [...deposits, deposit] }
}

const proven = (evidence: Evidence, isMade: boolean): Evidence => {
  const { balance, orders } = evidence
  const spent = isMade ? orders.maybeSpent : zero
  const left = { ...orders, reserved: usdc(orders.reserved - spent), maybeSpent: zero, foreign: zero }
  return {
    ...evidence,
    orders: left,
    balance: usdc(balance - spent),
    missing: undefined,
    mayBeRestored: false,
    awaitsDeposits: false
  }
}
