import { parse } from "../../../src/domain/Address.ts"
import type { StoredTask, Tables } from "../../../src/task/MemoryLedger.ts"
import type { Transfer } from "../Chain.ts"
import type { Oracle } from "./Oracle.ts"

/** `PAYMENT_TIMEOUT` of a run, in milliseconds. */
export const PAYMENT_TIMEOUT_MS = 600_000

/** A deposit of exactly an order's cost is for that order though it seems a little older: clocks differ. */
const CLOCKS_DIFFER_MS = 10_000

const nameOf = (task: StoredTask): string => `task ${task.id.slice(0, 8)}`

const payerOf = (tables: Tables, task: StoredTask) => parse(tables.wallets.get(task.walletId)?.agentAddress ?? "")

/** What a funded task may still take out of its wallet, by what the chain shows of its nonces. */
const owedFor = (oracle: Oracle, tables: Tables, task: StoredTask): bigint => {
  const { chain } = oracle.world
  const batches = [...tables.batches.values()].filter((batch) => batch.taskId === task.id)
  if (batches.length === 0) {
    const paid = chain.transfers.filter(({ nonce }) => nonce && oracle.owners.get(nonce)?.taskId === task.id)
    const rest = paid.reduce((left, { nonce }) => left - oracle.owners.get(nonce!)!.amount, task.totalCost)
    return rest > 0n ? rest : 0n
  }
  return batches
    .filter((batch) => batch.status !== "resolved" && chain.outcome(batch.payer, batch.nonce)._tag !== "Used")
    .reduce((sum, batch) => sum + batch.amount, 0n)
}

const stolenFrom = (oracle: Oracle, transfers: ReadonlyArray<Transfer>): bigint =>
  transfers
    .filter(({ from, nonce }) => nonce !== undefined && oracle.world.thefts.nonces.has(from + nonce))
    .reduce((sum, { amount }) => sum + amount, 0n)

const ofWallet = (tables: Tables, task: StoredTask, ...statuses: ReadonlyArray<StoredTask["status"]>) =>
  [...tables.tasks.values()].filter(({ walletId, status }) => walletId === task.walletId && statuses.includes(status))

/** I5: what all funded tasks of a wallet still need is there. */
export const checkFunded = (oracle: Oracle, task: StoredTask, tables: Tables): void => {
  const { chain } = oracle.world
  const payer = payerOf(tables, task)
  if (payer === undefined) return
  const owed = ofWallet(tables, task, "funded", "processing").reduce(
    (sum, open) => sum + owedFor(oracle, tables, open),
    0n
  )
  const excused = stolenFrom(oracle, chain.transfersOf(payer)) + oracle.forgottenOf(payer, tables)
  const balance = chain.balance(payer)
  if (owed > balance + excused) {
    oracle.report("I5", `${nameOf(task)} is funded: its wallet owes ${owed} and holds ${balance}`)
  }
}

/** I6: no money that was there at the deadline would have paid for it by rule 2. */
export const checkCancelled = (oracle: Oracle, task: StoredTask, tables: Tables): void => {
  const { chain } = oracle.world
  const deadlineMs = task.createdAtMs + PAYMENT_TIMEOUT_MS
  if (chain.timeOf(chain.head) <= deadlineMs) oracle.report("I6", `${nameOf(task)} is cancelled before its deadline`)
  const payer = payerOf(tables, task)
  if (payer === undefined) return
  const early = chain.transfersOf(payer).filter(({ to, timeMs }) => to === payer && timeMs <= deadlineMs)
  const left = leftOf(oracle, tables, task, payer, early)
  if (left < task.totalCost) return
  if (isMeantFor(oracle, task, tables, early, left)) {
    oracle.report("I6", `${nameOf(task)} is cancelled: ${left} of ${task.totalCost} was there at its deadline`)
  }
}

/** What is certainly left of early money: whatever is spent or owed was taken from it first. */
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
    .filter(({ from }) => from === payer)
    .reduce((sum, { amount }) => sum + amount, 0n)
  const owed = ofWallet(tables, task, "funded", "processing").reduce(
    (sum, open) => sum + owedFor(oracle, tables, open),
    0n
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
  // As many deposits of exactly this amount as tasks that cost it: then nobody else had a right to one.
  const alike = [...tables.tasks.values()].filter(
    ({ id, walletId, totalCost, status }) =>
      walletId === task.walletId && totalCost === task.totalCost && (status !== "cancelled" || oracle.funded.has(id))
  )
  if (exactly(task).length > alike.length) return true
  const claimed = others
    .filter((other) => exactly(other).length > 0)
    .reduce((sum, { totalCost }) => sum + totalCost, 0n)
  const isOldest = others.every((other) => other.createdAtMs > task.createdAtMs)
  return isOldest && left - claimed >= task.totalCost
}
