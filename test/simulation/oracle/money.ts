import { parse } from "../../../src/domain/Address.ts"
import type { Refund } from "../../../src/domain/Refund.ts"
import type { WalletId } from "../../../src/domain/Wallet.ts"
import type { StoredTask, Tables } from "../../support/memory/MemoryLedger.ts"
import type { Transfer } from "../Chain.ts"
import type { Process } from "../Process.ts"
import type { World } from "../World.ts"
import { broughtForWaiting, hasForeignOrder } from "./paidIn.ts"
import type { Oracle } from "./Oracle.ts"

/** `PAYMENT_TIMEOUT` of a run, in milliseconds. */
export const PAYMENT_TIMEOUT_MS = 600_000

/** A deposit of exactly an order's cost is for that order though it seems a little older: clocks differ. */
const CLOCKS_DIFFER_MS = 10_000

const nameOf = (task: StoredTask): string => `task ${task.id.slice(0, 8)}`

const payerOf = (tables: Tables, task: Pick<StoredTask, "walletId">) =>
  parse(tables.wallets.get(task.walletId)?.agentAddress ?? "")

/** What a funded task may still take out of its wallet, by what the chain shows of its nonces. */
const owedFor = (oracle: Oracle, tables: Tables, task: StoredTask): bigint => {
  const { chain } = oracle.world
  const batches = [...tables.batches.values()].filter((batch) => batch.taskId === task.id)
  if (batches.length === 0) {
    const byV1 = chain.transfers.filter(({ nonce }) => nonce && oracle.world.byV1.paid.get(nonce) === task.id)
    const due = byV1.reduce((left, { amount }) => left - amount, task.totalCost)
    const paid = chain.transfers.filter(({ nonce }) => nonce && oracle.owners.get(nonce)?.taskId === task.id)
    const rest = paid.reduce((left, { nonce }) => left - oracle.owners.get(nonce!)!.amount, due)
    return rest > 0n ? rest : 0n
  }
  return batches
    .filter((batch) => batch.status !== "resolved" && chain.outcome(batch.payer, batch.nonce)._tag !== "Used")
    .reduce((sum, batch) => sum + batch.amount, 0n)
}

const stolenFrom = (oracle: Oracle, transfers: ReadonlyArray<Transfer>): bigint =>
  transfers.filter((transfer) => oracle.world.thefts.has(transfer)).reduce((sum, { amount }) => sum + amount, 0n)

const ofWallet = (
  tables: Tables,
  task: Pick<StoredTask, "walletId">,
  ...statuses: ReadonlyArray<StoredTask["status"]>
) =>
  [...tables.tasks.values()].filter(({ walletId, status }) => walletId === task.walletId && statuses.includes(status))

/** What refunds may still take out of a wallet. */
const owedToUser = (
  { world }: Oracle,
  tables: Tables,
  walletId: WalletId,
  ...statuses: ReadonlyArray<Refund["status"]>
): ReadonlyArray<Refund> =>
  [...tables.refunds.values()].filter(
    (refund) =>
      refund.walletId === walletId &&
      statuses.includes(refund.status) &&
      world.chain.outcome(refund.payer, refund.nonce)._tag === "Unused"
  )

/** Set to `funded` by another program, for no dollars: before its first batch it is looked whether any are left for it. */
const isUnreserved = ({ taskStates }: Tables, { id, status }: StoredTask): boolean =>
  status === "funded" && taskStates.get(id)?.reservedAtBlock === undefined

/** Whether blocks that were seen are not on the chain any more, and no sweep has looked into it yet. */
export const isReorganised = ({ chain }: World, { anchors }: Tables): boolean =>
  [...anchors.values()].some(({ block, hash }) => chain.hashAt(Number(block)) !== hash)

/**
 * I5: what all funded tasks of a wallet still need is there, and what it refunds beside that. I13: and what pay-ins brought
 * for orders that still wait is left to those.
 */
export const checkOwed = (oracle: Oracle, what: string, walletId: WalletId, tables: Tables): void => {
  const { chain } = oracle.world
  const payer = payerOf(tables, { walletId })
  if (payer === undefined) return
  const refunds = owedToUser(oracle, tables, walletId, "planned", "signed").reduce(
    (sum, { amount }) => sum + amount,
    0n
  )
  const owed = ofWallet(tables, { walletId }, "funded", "processing")
    .filter((open) => !isUnreserved(tables, open))
    .reduce((sum, open) => sum + owedFor(oracle, tables, open), refunds)
  const lost = chain.lost.get(payer) ?? 0n
  const excused = lost + stolenFrom(oracle, chain.transfersOf(payer)) + oracle.forgottenOf(payer, tables)
  const balance = chain.balance(payer)
  // Until a sweep has looked into a reorganisation, decisions are made by the chain that was.
  if (owed > balance + excused && !isReorganised(oracle.world, tables)) {
    const toUser = refunds === 0n ? "" : `, ${refunds} of it to its user`
    oracle.report("I5", `with ${what} its wallet owes ${owed}${toUser}, and holds ${balance}`)
    return
  }
  const brought = broughtForWaiting(oracle.world, tables, payer)
  if (brought === 0n || oracle.restores > 0 || isReorganised(oracle.world, tables)) return
  if (hasForeignOrder(tables, walletId)) return
  if (owed + brought > balance + excused) {
    oracle.report(
      "I13",
      `with ${what} its wallet owes ${owed}, and holds ${balance}, of which pay-ins brought ${brought}`
    )
  }
}

/**
 * I6: no money that was there at the deadline would have paid for it by rule 2. An operator may cancel sooner: then it
 * is the money that was there in the block by which they decided.
 */
export const checkCancelled = (oracle: Oracle, task: StoredTask, tables: Tables, by: Process): void => {
  const { chain } = oracle.world
  const deadlineMs = task.createdAtMs + PAYMENT_TIMEOUT_MS
  const untilMs = by.isOperator ? Math.min(deadlineMs, chain.timeOf(by.served)) : deadlineMs
  if (chain.timeOf(chain.head) <= untilMs && !by.isOperator) {
    oracle.report("I6", `${nameOf(task)} is cancelled before its deadline`)
  }
  const payer = payerOf(tables, task)
  // What cannot be carried out is nothing that money could be for.
  if (payer === undefined || task.totalCost !== task.pricePerMint * BigInt(task.quantity)) return
  const early = chain.transfersOf(payer).filter(({ to, timeMs }) => to === payer && timeMs <= untilMs)
  const left = leftOf(oracle, tables, task, payer, early)
  if (left < task.totalCost) return
  // A ledger from a backup may have funded older orders out of it that were paid long ago, until it has looked at each.
  if (by.isOperator && oracle.restores > 0) return
  if (isMeantFor(oracle, task, tables, early, left)) {
    oracle.report("I6", `${nameOf(task)} is cancelled: ${left} of ${task.totalCost} was there at its deadline`)
  }
}

/** A refund that was asked for while the order waited for its money: that was not free. */
const isStarving = (oracle: Oracle, task: StoredTask, nonce: Transfer["nonce"]): boolean => {
  const refund = nonce && oracle.refunds.get(nonce)
  // A ledger from a backup has orders that wait again.
  return refund !== undefined && oracle.restores === 0 && refund.askedAtMs > task.createdAtMs
}

/** What is certainly left of early money: all that is spent or owed was taken from it first. */
const leftOf = (
  oracle: Oracle,
  tables: Tables,
  task: StoredTask,
  payer: string,
  early: ReadonlyArray<Transfer>
): bigint => {
  const { chain } = oracle.world
  const came = early.reduce((sum, { amount }) => sum + amount, 0n)
  const spent = chain
    .transfersOf(payer as Transfer["from"])
    .filter(({ from, nonce }) => from === payer && !isStarving(oracle, task, nonce))
    .reduce((sum, { amount }) => sum + amount, 0n)
  // What a held refund takes is free only once a person has withdrawn it.
  const refunds = owedToUser(oracle, tables, task.walletId, "planned", "signed", "held").filter(
    ({ nonce }) => !isStarving(oracle, task, nonce)
  )
  const owed = ofWallet(tables, task, "funded", "processing").reduce(
    (sum, open) => sum + owedFor(oracle, tables, open),
    refunds.reduce((sum, { amount }) => sum + amount, 0n)
  )
  return came - spent - owed
}

/** Whether rule 2 leaves no doubt that the task had to be funded, out of `left` of the early money. */
const isMeantFor = (
  oracle: Oracle,
  task: StoredTask,
  tables: Tables,
  early: ReadonlyArray<Transfer>,
  left: bigint
): boolean => {
  const others = ofWallet(tables, task, "pending_payment")
  if (left >= others.reduce((sum, { totalCost }) => sum + totalCost, task.totalCost)) return true
  const exactly = (one: StoredTask) =>
    early.filter(({ amount, timeMs }) => amount === one.totalCost && one.createdAtMs <= timeMs + CLOCKS_DIFFER_MS)
  // As many deposits of exactly this amount as tasks that cost it: then no other task had a right to one.
  const alike = [...tables.tasks.values()].filter(
    ({ id, walletId, totalCost, status }) =>
      walletId === task.walletId && totalCost === task.totalCost && (status !== "cancelled" || oracle.funded.has(id))
  )
  // What an older order keeps that is held, a newer one may have taken out of the deposit that was meant for this one.
  const isKept = others.some(
    ({ id, createdAtMs }) => createdAtMs < task.createdAtMs && tables.taskStates.get(id)?.heldAtMs !== undefined
  )
  if (!isKept && exactly(task).length > alike.length) return true
  const claimed = others
    .filter((other) => exactly(other).length > 0)
    .reduce((sum, { totalCost }) => sum + totalCost, 0n)
  const isOldest = others.every((other) => other.createdAtMs > task.createdAtMs)
  return isOldest && left - claimed >= task.totalCost
}
