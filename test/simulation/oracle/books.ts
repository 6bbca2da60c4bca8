import type { Address } from "../../../src/domain/Address.ts"
import type { StoredDeposit, StoredWallet, Tables } from "../../support/memory/MemoryLedger.ts"
import type { Transfer } from "../Chain.ts"
import { short } from "../Timeline.ts"
import type { World } from "../World.ts"
import type { Oracle } from "./Oracle.ts"

const nameOf = ({ agentAddress }: Pick<StoredWallet, "agentAddress">): string => `wallet ${short(agentAddress)}`

const wordsFor = ({ amount, tx, block }: Transfer): string => `${amount} in ${short(tx)} of block ${block}`

/** Checks every deposit that a transaction recorded, and at every wallet whose books it moved or that it stopped. */
export const watchBooks = (oracle: Oracle, before: Tables, after: Tables): void => {
  if (before.deposits.size !== after.deposits.size) {
    for (const [key, deposit] of after.deposits) if (!before.deposits.has(key)) checkRecorded(oracle, deposit)
  }
  for (const [id, state] of after.walletStates) {
    const old = before.walletStates.get(id)
    if (old === state) continue
    const wallet = after.wallets.get(id)
    const { stoppedReason } = state
    if (wallet === undefined) continue
    checkMoved(oracle, wallet, [before, after])
    if (stoppedReason !== undefined && old?.stoppedReason === undefined) onStopped(oracle, wallet, after, stoppedReason)
  }
}

/** The books of a wallet move by what this very change records, withdraws or proves, and by nothing else. */
const checkMoved = (oracle: Oracle, wallet: StoredWallet, [before, after]: readonly [Tables, Tables]): void => {
  const [old, state] = [before.walletStates.get(wallet.id), after.walletStates.get(wallet.id)]
  if (old?.bookBalance === undefined || state?.bookBalance === undefined) return
  if (state.openedBlock === undefined || state.openedBlock !== old.openedBlock) return
  if (state.bookBalance === old.bookBalance) return
  const [was, is] = [before, after].map((tables) => bookedSince(oracle.world, tables, wallet, state.openedBlock!))
  const [due, moved] = [is! - was!, state.bookBalance - old.bookBalance]
  if (due !== moved) oracle.report("I11", `the books of ${nameOf(wallet)} move by ${moved} where ${due} is recorded`)
}

/** What came and what left, as recorded, since the books were opened. */
const bookedSince = (world: World, tables: Tables, { id, agentAddress }: StoredWallet, openedBlock: bigint): bigint => {
  const booked = bookedIn(tables)
  const came = [...tables.deposits.values()]
    .filter(({ walletId, block, isWithdrawn }) => walletId === id && !isWithdrawn && block.number > openedBlock)
    .reduce((sum, { amount }) => sum + amount, 0n)
  const gone = [...world.chain.gone.values()].filter(({ from }) => from === agentAddress)
  return [...spendingOf(world, agentAddress as Address), ...gone]
    .filter(({ tx, block }) => booked.has(tx) && BigInt(block) > openedBlock)
    .reduce((left, { amount }) => left - amount, came)
}

/** It was on chain when it was looked for, though it may have left since, or moved to another block. */
const isOnChain = ({ world: { chain } }: Oracle, { wallet, from, amount, tx, block }: StoredDeposit): boolean =>
  chain.gone.has(tx) ||
  chain
    .transfersOf(wallet)
    .some(
      (transfer) =>
        transfer.tx === tx &&
        transfer.to === wallet &&
        transfer.from === from &&
        transfer.amount === amount &&
        (chain.reorganisations > 0 || BigInt(transfer.block) === block.number)
    )

const checkRecorded = (oracle: Oracle, deposit: StoredDeposit): void => {
  if (isOnChain(oracle, deposit)) return
  oracle.report("I11", `a deposit of ${deposit.amount} in ${short(deposit.tx)} is recorded, and the chain has none`)
}

const spendingOf = ({ chain }: World, agent: Address): ReadonlyArray<Transfer> =>
  chain.transfersOf(agent).filter(({ from, to }) => from === agent && to !== agent)

const arrivalsOf = ({ chain }: World, agent: Address): ReadonlyArray<Transfer> =>
  chain.transfersOf(agent).filter(({ from, to }) => to === agent && from !== agent)

const noncesOf = ({ batches, refunds }: Tables): ReadonlySet<string> =>
  new Set([...batches.values(), ...refunds.values()].map(({ nonce }) => nonce))

/** Whether a payment was made for an order that is open: the ledger may have forgotten the payment with a restore. */
const isForOpenOrder = ({ owners, world }: Oracle, { tasks }: Tables, { nonce }: Transfer): boolean => {
  const taskId = nonce && (owners.get(nonce)?.taskId ?? world.byV1.paid.get(nonce))
  const status = taskId && tasks.get(taskId)?.status
  return status === "pending_payment" || status === "funded" || status === "processing"
}

/** v1.1 paid for an order that was taken over already: the ledger cannot know of it. */
const isLateByV1 = ({ world }: Oracle, { batches }: Tables, { nonce, block }: Transfer): boolean => {
  const order = nonce && world.byV1.paid.get(nonce)
  return [...batches.values()].some(({ taskId, window }) => taskId === order && window && window.block < block)
}

/** What a person has to find: a theft, and what was signed before a restore and landed when its order had failed since. */
const isStray = (oracle: Oracle, tables: Tables, known: ReadonlySet<string>, transfer: Transfer): boolean => {
  if (oracle.world.thefts.has(transfer) || isLateByV1(oracle, tables, transfer)) return true
  if (isForOpenOrder(oracle, tables, transfer)) return false
  const { nonce } = transfer
  return nonce === undefined || oracle.forgotten.has(nonce) || !known.has(nonce)
}

/** I12: a sound wallet is never stopped, only one that lost money by no order and no refund that the ledger can know. */
const onStopped = (oracle: Oracle, wallet: StoredWallet, tables: Tables, reason: string): void => {
  const { world } = oracle
  world.trace.say("ledger", `${nameOf(wallet)} is stopped: ${reason}`)
  const { openedBlock = 0n } = tables.walletStates.get(wallet.id) ?? {}
  const known = noncesOf(tables)
  const spent = spendingOf(world, wallet.agentAddress as Address)
  if (spent.some((transfer) => BigInt(transfer.block) > openedBlock && isStray(oracle, tables, known, transfer))) return
  oracle.report("I12", `${nameOf(wallet)} is stopped, and nothing was taken: ${reason}`)
}

/**
 * What is wrong with the deposits and the books of wallets that are open: each deposit since the books were opened is
 * recorded as the chain has it, the books come to the balance, and what is unexplained has stopped its wallet.
 */
export const unsettledBooks = (world: World): ReadonlyArray<string> => {
  const { tables } = world.ledger
  const known = noncesOf(tables)
  const booked = bookedIn(tables)
  return [...tables.wallets.values()].flatMap((wallet) => {
    const { openedBlock, bookBalance, stoppedReason } = tables.walletStates.get(wallet.id) ?? {}
    if (openedBlock === undefined || bookBalance === undefined || stoppedReason !== undefined) return []
    const agent = wallet.agentAddress as Address
    const isSince = ({ block }: Transfer): boolean => BigInt(block) > openedBlock
    const arrived = arrivalsOf(world, agent).filter(isSince)
    const spent = spendingOf(world, agent).filter(isSince)
    const isUnknown = ({ nonce }: Transfer): boolean => nonce === undefined || !known.has(nonce)
    // What is missing may seem to be paid for orders and refunds that still wait: those tell a person.
    const stray = owesNothing(tables, wallet) ? spent.find(isUnknown) : undefined
    const said = [
      ...differences(world, tables, wallet, arrived, openedBlock),
      ...(stray === undefined ? [] : [`${wordsFor(stray)} left unnoticed`]),
      ...unevenBy(
        world.chain.balance(agent),
        bookBalance,
        spent.filter((one) => !booked.has(one.tx))
      )
    ]
    return said.map((what) => `${nameOf(wallet)}: ${what}`)
  })
}

/** Transactions of the payments and refunds that the ledger has proven. */
const bookedIn = ({ batches, refunds }: Tables): ReadonlySet<string> =>
  new Set([
    ...[...batches.values()].flatMap(({ paymentTx }) => paymentTx ?? []),
    ...[...refunds.values()].flatMap(({ paymentTx }) => paymentTx ?? [])
  ])

const owesNothing = ({ refunds, tasks }: Tables, { id }: StoredWallet): boolean =>
  ![...tasks.values()].some(
    ({ walletId, status }) => walletId === id && (status === "funded" || status === "processing")
  ) &&
  ![...refunds.values()].some(
    ({ walletId, status }) => walletId === id && (status === "planned" || status === "signed" || status === "held")
  )

const differences = (
  { chain }: World,
  { deposits }: Tables,
  { id }: StoredWallet,
  arrived: ReadonlyArray<Transfer>,
  openedBlock: bigint
): ReadonlyArray<string> => {
  const recorded = [...deposits.values()].filter(({ walletId, isWithdrawn }) => walletId === id && !isWithdrawn)
  const byTx = Map.groupBy(recorded, ({ tx }) => tx)
  const onChain = new Set(chain.transfers.map(({ tx }) => tx))
  return [
    ...arrived
      .filter(({ tx, amount, block }) => {
        const rows = byTx.get(tx) ?? []
        return rows.length !== 1 || rows[0]!.amount !== amount || rows[0]!.block.number !== BigInt(block)
      })
      .map((one) => `${wordsFor(one)} came and is recorded ${byTx.get(one.tx)?.length ?? 0} time(s)`),
    ...recorded
      .filter(({ tx, block }) => block.number > openedBlock && !onChain.has(tx))
      .map(({ amount, tx }) => `${amount} in ${short(tx)} is recorded and never came`)
  ]
}

const unevenBy = (balance: bigint, books: bigint, unbooked: ReadonlyArray<Transfer>): ReadonlyArray<string> => {
  const due = balance + unbooked.reduce((sum, { amount }) => sum + amount, 0n)
  return due === books ? [] : [`the books come to ${books}, the chain to ${due}`]
}
