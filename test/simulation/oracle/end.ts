import { batchesOf } from "../../support/memory/state.ts"
import type { StoredTask, Tables } from "../../support/memory/MemoryLedger.ts"
import type { Address } from "../../../src/domain/Address.ts"
import type { Refund } from "../../../src/domain/Refund.ts"
import type { TaskId } from "../../../src/domain/Task.ts"
import type { MintEvent, Transfer } from "../Chain.ts"
import type { World } from "../World.ts"
import { unsettledBooks } from "./books.ts"
import { isReorganised } from "./money.ts"
import type { Oracle } from "./Oracle.ts"

const isTerminal = ({ status }: StoredTask): boolean =>
  status === "completed" || status === "failed" || status === "cancelled"

/** Held itself, or with its wallet: a person has to come. */
const isHeld = (tables: Tables, { id, walletId }: StoredTask): boolean =>
  tables.taskStates.get(id)?.heldAtMs !== undefined || tables.walletStates.get(walletId)?.stoppedReason !== undefined

/** A thief's transfer like the payment of a batch: it will never be minted for. */
const isRobbed = ({ thefts }: World, tables: Tables, { id }: StoredTask): boolean =>
  [...tables.batches.values()].some(
    ({ taskId, status, payer, nonce }) => taskId === id && status === "paid" && thefts.nonces.has(payer + nonce)
  )

/**
 * Money of its wallet went by the nonce of a planned batch that is not followed, as its task is held: until a person
 * decides that one, more is missing than anything explains, and nothing of the wallet is cancelled.
 */
const isOverdrawn = ({ thefts }: World, tables: Tables, { walletId, status }: StoredTask): boolean =>
  status === "pending_payment" &&
  [...tables.batches.values()].some(
    (batch) => batch.walletId === walletId && batch.status === "planned" && thefts.nonces.has(batch.payer + batch.nonce)
  )

/** A payment for its token was taken and not delivered, and is held for a person: no more is paid for that token. */
const isStopped = (tables: Tables, { token }: StoredTask): boolean =>
  [...tables.batches.values()].some((batch) => {
    const owner = tables.tasks.get(batch.taskId)
    return batch.status === "paid" && batch.token === token && owner !== undefined && isHeld(tables, owner)
  })

/**
 * It cannot be written, or waits for one of its wallet that cannot be: what is there was paid for that one, or mints of
 * the same token cannot be counted for it.
 */
const isBesideUnwritable = ({ unwritable }: World, { batches, tasks }: Tables, task: StoredTask): boolean =>
  unwritable.has(task.id) ||
  [...unwritable].some((id) => {
    const isUndelivered = [...batches.values()].some(
      ({ taskId, status, token }) => taskId === id && status === "paid" && token === task.token
    )
    return tasks.get(id)?.walletId === task.walletId && (task.status === "pending_payment" || isUndelivered)
  })

/**
 * What an order of another program may have spent of its wallet is not certain until it is taken over: by a person where
 * it is held, or when its token is not stopped any more.
 */
const isBesideForeign = (tables: Tables, { walletId, status }: StoredTask): boolean =>
  status === "pending_payment" &&
  [...tables.tasks.values()].some(
    (other) =>
      other.walletId === walletId &&
      (other.status === "processing" || other.status === "funded") &&
      (isHeld(tables, other) || isStopped(tables, other)) &&
      ![...tables.batches.values()].some(({ taskId }) => taskId === other.id)
  )

/** A thief took what orders that wait for their token keep: the theft stops the wallet once that is spent or free. */
const isBesideCoveredTheft = ({ chain, thefts }: World, tables: Tables, { walletId, status }: StoredTask): boolean => {
  const agent = tables.wallets.get(walletId)?.agentAddress as Address
  return (
    status === "pending_payment" &&
    chain.transfersOf(agent).some((one) => thefts.has(one)) &&
    [...tables.tasks.values()].some(
      (other) => other.walletId === walletId && (other.status === "funded" || other.status === "processing")
    )
  )
}

/** A thief took what a held refund keeps: the theft shows, and stops the wallet, once a person has withdrawn the refund. */
const isBesideRobbedRefund = (
  { chain, thefts }: World,
  { refunds }: Tables,
  { walletId, status }: StoredTask
): boolean =>
  status === "pending_payment" &&
  [...refunds.values()].some(
    (refund) =>
      refund.walletId === walletId &&
      refund.status === "held" &&
      chain.transfersOf(refund.payer).some((one) => thefts.has(one))
  )

/**
 * After a restore its wallet holds less than its books say, or than a held order needs. Whether that was spent on the held
 * order, which is not followed, or on this one, is known once a person has decided about the held one.
 */
const isBesideShort = ({ chain, oracle }: World, tables: Tables, { walletId, status }: StoredTask): boolean => {
  const wallet = tables.wallets.get(walletId)
  if (oracle.restores === 0 || wallet === undefined || status !== "pending_payment") return false
  const owed = [...tables.batches.values()]
    .filter((batch) => batch.walletId === walletId && batch.status === "planned")
    .filter(({ taskId }) => isHeld(tables, tables.tasks.get(taskId)!))
    .reduce((sum, { amount }) => sum + amount, 0n)
  const balance = chain.balance(wallet.agentAddress as Address)
  const { bookBalance = 0n } = tables.walletStates.get(walletId) ?? {}
  return balance < owed || (owed > 0n && balance < bookBalance)
}

/** Whether only a person can bring it to its end. */
const needsPerson = (world: World, tables: Tables, task: StoredTask): boolean =>
  isHeld(tables, task) ||
  isBesideUnwritable(world, tables, task) ||
  isBesideForeign(tables, task) ||
  isBesideShort(world, tables, task) ||
  isBesideRobbedRefund(world, tables, task) ||
  isBesideCoveredTheft(world, tables, task) ||
  isRobbed(world, tables, task) ||
  isOverdrawn(world, tables, task) ||
  (task.status !== "pending_payment" && isStopped(tables, task))

const endOf = (tables: Tables, task: StoredTask): string =>
  !isTerminal(task) && isHeld(tables, task) ? `${task.status}, held` : task.status

/** Whether nothing is left to be done but by a person. */
export const isOver = (world: World): boolean => {
  const { tables } = world.ledger
  const isOpen = (task: StoredTask) => !isTerminal(task) && !needsPerson(world, tables, task)
  if ([...tables.tasks.values()].some(isOpen)) return false
  if (openRefunds(world, tables).length > 0) return false
  if (isReorganised(world, tables)) return false
  const isUnproven = [...tables.batches.values()].some(
    ({ status }) => status === "signed" || status === "accepted" || status === "unknown"
  )
  return !isUnproven && unsettledBooks(world).length === 0
}

/** Refunds that an executor still has to bring to their end. A stopped wallet signs nothing, and what is stolen is gone. */
const openRefunds = ({ chain, thefts }: World, { refunds, walletStates }: Tables): ReadonlyArray<Refund> =>
  [...refunds.values()].filter(({ amount, payer, status, walletId }) => {
    if (chain.balance(payer) < amount && chain.transfersOf(payer).some((one) => thefts.has(one))) return false
    return status === "signed" || (status === "planned" && walletStates.get(walletId)?.stoppedReason === undefined)
  })

/** Checks everything once more at the end. Gives how many tasks ended how. */
export const checkEnd = (world: World): ReadonlyMap<string, number> => {
  const { ledger, oracle } = world
  const tables = ledger.tables
  const ends = new Map<string, number>()
  for (const task of tables.tasks.values()) {
    const end = endOf(tables, task)
    ends.set(end, (ends.get(end) ?? 0) + 1)
  }
  if (oracle.violations.length > 0) return ends
  for (const task of tables.tasks.values()) {
    if (!isTerminal(task) && !needsPerson(world, tables, task)) {
      oracle.report("I7", `task ${task.id.slice(0, 8)} is still ${task.status}: ${task.errorMessage ?? ""}`)
    }
    checkMints(oracle, tables, task)
  }
  for (const { id, status, reason } of openRefunds(world, tables)) {
    oracle.report("I7", `refund ${id.slice(0, 8)} is still ${status}: ${reason ?? ""}`)
  }
  for (const what of unsettledBooks(world)) oracle.report("I11", what)
  checkTransfers(oracle)
  checkLog(world)
  return ends
}

/** I4 and I3: what the server made for the task's payments is what is counted, and not more than was ordered. */
const checkMints = (oracle: Oracle, tables: Tables, task: StoredTask): void => {
  const { chain } = oracle.world
  const minted = chain.mints.filter(({ nonce }) => oracle.owners.get(nonce)?.taskId === task.id)
  const direct = directMints(oracle, task)
  const made = [...Map.groupBy(minted, ({ nonce }) => nonce)].reduce(
    (sum, [nonce, ofPayment]) => {
      const ordered = oracle.owners.get(nonce)?.quantity ?? 0
      return sum + (oracle.forgotten.has(nonce) ? Math.min(ofPayment.length, ordered) : ofPayment.length)
    },
    oracle.world.byV1.counted.get(task.id) ?? 0
  )
  const name = `task ${task.id.slice(0, 8)}`
  if (isDecided(tables, task)) return checkDecided(oracle, task, minted)
  // After a reorganisation a batch of it may be held, and what then leaves the chain as well stays counted: a person decides.
  if (task.status === "completed" && batchesOf(tables, task.id).some(({ status }) => status === "held")) return
  // After a restore the ledger may have forgotten orders altogether, and mints of theirs may be anybody's.
  if (isHeld(tables, task) || (oracle.restores > 0 && task.status !== "completed")) return
  // Those cannot be distinguished from the order's.
  const others = direct + lateMints(oracle, tables, task)
  const isCounted = others > 0 ? task.mintsCompleted <= made + others : made === task.mintsCompleted
  if (!isCounted && !oracle.world.unwritable.has(task.id)) {
    oracle.report("I4", `${name} is ${task.status} and counts ${task.mintsCompleted} mints, ${made} are on chain`)
  }
  if (made > task.quantity) oracle.report("I3", `${made} mints were made for ${name}, ${task.quantity} were ordered`)
}

/** Mints of its token that its user made by themselves. */
const directMints = ({ owners, world }: Oracle, { token, userAddress }: StoredTask): number =>
  world.chain.mintsOf(token as Address, userAddress as Address).filter(({ nonce }) => !owners.has(nonce)).length

/** Mints for the same person that came when a person had decided already that there would be none. */
const lateMints = ({ owners, world }: Oracle, { batches }: Tables, { token, userAddress }: StoredTask): number =>
  world.chain.mintsOf(token as Address, userAddress as Address).filter(({ nonce }) => {
    const owner = owners.get(nonce)
    return owner !== undefined && batches.get(`${owner.taskId}/${owner.number}`)?.status === "resolved"
  }).length

/** Whether a person said of a batch what is to be believed of it. */
const isDecided = ({ batches }: Tables, { id }: StoredTask): boolean =>
  [...batches.values()].some(({ taskId, status }) => taskId === id && status === "resolved")

/** Under any decisions of people no more is minted than was ordered, out of what was paid for. */
const checkDecided = (oracle: Oracle, { id, quantity }: StoredTask, minted: ReadonlyArray<MintEvent>): void => {
  const { chain, thefts } = oracle.world
  const isPaid = (transfer: Transfer) => transfer.nonce !== undefined && !thefts.has(transfer)
  const paid = new Set(chain.transfers.filter(isPaid).map(({ nonce }) => nonce))
  const bought = minted.filter(({ nonce }) => paid.has(nonce)).length
  if (bought > quantity) oracle.report("I3", `${bought} mints of ${quantity} were made for task ${id.slice(0, 8)}`)
}

/** By the task that v1.1 paid it for. */
const paidByV1 = ({ world: { byV1, chain } }: Oracle): Map<TaskId, bigint> => {
  const paid = new Map<TaskId, bigint>()
  for (const { nonce, amount } of chain.transfers) {
    const taskId = nonce && byV1.paid.get(nonce)
    if (taskId !== undefined) paid.set(taskId, (paid.get(taskId) ?? 0n) + amount)
  }
  return paid
}

/** I1 and I2, from every transfer that left an agent wallet. */
const checkTransfers = (oracle: Oracle): void => {
  const { byV1, chain, ledger, thefts } = oracle.world
  const { tasks, wallets } = ledger.tables
  const payers = new Set([...wallets.values()].map(({ agentAddress }) => agentAddress as string))
  const paid = paidByV1(oracle)
  const batches = new Set<string>()
  const refunds = new Set<string>()
  for (const { from, to, amount, nonce, tx } of chain.transfers) {
    if (!payers.has(from) || thefts.has({ from, nonce, tx }) || (nonce && byV1.paid.has(nonce))) continue
    const refund = nonce && oracle.refunds.get(nonce)
    if (refund !== undefined) {
      if (refunds.has(refund.id)) oracle.report("I1", `refund ${refund.id.slice(0, 8)} is paid twice`)
      refunds.add(refund.id)
      if (to !== refund.payTo || amount > refund.amount) {
        oracle.report("I1", `${amount} left ${from.slice(0, 8)} to ${to} for a refund of ${refund.amount}`)
      }
      continue
    }
    const owner = nonce === undefined ? undefined : oracle.owners.get(nonce)
    if (owner === undefined) {
      oracle.report("I1", `${amount} left ${from.slice(0, 8)} in ${tx.slice(0, 8)} for no batch`)
      continue
    }
    const batch = `${owner.taskId.slice(0, 8)}/${owner.number}`
    if (batches.has(batch)) oracle.report("I2", `batch ${batch} is paid twice`)
    batches.add(batch)
    paid.set(owner.taskId, (paid.get(owner.taskId) ?? 0n) + amount)
  }
  for (const [taskId, sum] of paid) {
    const cost = tasks.get(taskId)?.totalCost
    if (cost !== undefined && sum > cost)
      oracle.report("I2", `${sum} was paid for task ${taskId.slice(0, 8)} of ${cost}`)
  }
}

/** I9: no secret is ever printed, and no signature, which is as good as money. */
const checkLog = ({ keys, logLines, oracle, secrets }: World): void => {
  const hidden = new Set([...secrets, ...keys.signatures].map((secret) => secret.toLowerCase().replace(/^0x/, "")))
  // Of 64 hex digits or more: keys and signatures. Nonces and transactions are not among the secrets.
  for (const line of logLines) {
    for (const [digits] of line.toLowerCase().matchAll(/[0-9a-f]{64,}/g)) {
      if (hidden.has(digits)) oracle.report("I9", `the log shows ${digits.slice(0, 8)}…`)
    }
    for (const secret of secrets) {
      if (secret.length < 64 && line.includes(secret)) oracle.report("I9", "the log shows the database's password")
    }
  }
}
