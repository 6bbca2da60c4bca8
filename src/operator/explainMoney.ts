import { Effect, Result } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { ZERO } from "../domain/Address.ts"
import { type Candidate, freeAtLeast, freeAtMost, type HeldOrder, type WalletMoney } from "../domain/Allocation.ts"
import type { Block } from "../domain/Block.ts"
import type { Deposit } from "../domain/Deposit.ts"
import { notAheadOf, onLedgerTime } from "../domain/ledgerTime.ts"
import type { Task } from "../domain/Task.ts"
import { minus, sum, type Usdc, usdc, zero } from "../domain/Usdc.ts"
import { deadlineMs, judge, type Verdict } from "../domain/Verdict.ts"
import type { Wallet } from "../domain/Wallet.ts"
import * as Clocks from "../ops/Clocks.ts"
import { DecisionRepo } from "../ledger/DecisionRepo.ts"
import type { WalletOrders } from "../domain/WalletState.ts"
import { TaskRepo } from "../ledger/TaskRepo.ts"
import { standing } from "./money.ts"

/** What a wallet owes, and what the chain shows of it. */
export interface MoneyLook {
  /** `undefined` where its orders cannot be read. */
  readonly orders: WalletOrders | undefined
  /** `undefined` where the chain does not answer. The block has its time on the ledger's line, as the deposits have. */
  readonly chain: { readonly block: Block; readonly balance: Usdc } | undefined
  /** What is left of its deposits, oldest first. */
  readonly deposits: ReadonlyArray<Deposit>
}

/** Reservations first, the chain second, as for every decision. An explanation without the chain is better than none. */
export const lookAtMoney = Effect.fnUntraced(function* ({ id, agentAddress }: Wallet) {
  const orders = yield* (yield* DecisionRepo).walletOrders(id)
  const read = yield* Effect.result((yield* ChainClient).readBalances([agentAddress]))
  const unspent = yield* (yield* TaskRepo).unspentDeposits([id])
  const aheadMs = yield* Clocks.ledgerAheadMs
  return {
    orders,
    chain: Result.isSuccess(read)
      ? { block: notAheadOf(read.success.block, aheadMs), balance: read.success.usdc.get(agentAddress) ?? zero }
      : undefined,
    deposits: unspent.map((deposit) => onLedgerTime({ ...deposit, amount: deposit.left }, aheadMs))
  } satisfies MoneyLook as MoneyLook
})

/** An older order that the money in the wallet is kept for. */
export interface Older {
  readonly task: Task
  readonly missing: Usdc
}

interface Short {
  readonly _tag: "Short"
  /** The least that makes the next check fund it, and the most that may be needed while a payment is not proven. */
  readonly missing: Usdc
  readonly missingAtMost: Usdc
  readonly isOverdue: boolean
  /** Free money that is not for this order, and the order that it is for. */
  readonly kept: Usdc
  readonly older: Older | undefined
  /** Money that pays for other orders of the wallet at the next check. */
  readonly taken: Usdc
  /** Money that was paid for orders of the wallet that are held, and is kept for them. */
  readonly forHeld: Usdc
}

/**
 * How an order that waits stands to its wallet's money, by the rules of the check loop.
 *
 * - `Away`, `Lagging`: the chain, or the node, cannot tell.
 * - `Lost`: the books do not match the chain, so nothing is decided.
 * - `Shared`: v1.1 may still pay from the wallet, so only the balance tells, and not for sure.
 * - `Uncounted`: there is money whose transfers are not looked up yet, and several orders that it may be for.
 * - `Foreign`: whether the money is free depends on an order that another program funded.
 * - `Unproven`: whether the money is free depends on a payment that is not proven.
 * - `Paid`: the next check funds it. `Short`: money is missing.
 */
export type Claim =
  | { readonly _tag: "Away" | "Uncounted" | "Unproven" | "Foreign" | "Paid" }
  | { readonly _tag: "Lagging"; readonly block: bigint; readonly needed: bigint }
  | { readonly _tag: "Lost"; readonly expected: bigint; readonly balance: Usdc }
  | { readonly _tag: "Shared"; readonly missing: Usdc; readonly isOverdue: boolean; readonly mayBePaid: boolean }
  | Short

/** The orders of a wallet, and what they are judged by. */
interface Case {
  readonly task: Task
  readonly pending: ReadonlyArray<Task>
  readonly held: ReadonlyArray<HeldOrder>
  readonly money: WalletMoney
  readonly block: Block
  readonly timeoutMs: number
  /** `undefined` where nobody can tell when the money came. */
  readonly deposits: ReadonlyArray<Deposit> | undefined
}

export const claimOf = ({ orders, chain, deposits }: MoneyLook, task: Task, timeoutMs: number): Claim => {
  if (chain === undefined || orders === undefined) return { _tag: "Away" }
  const { block, balance } = chain
  const { reserved, maybeSpent, foreign, books, provenBlock, isShared } = orders
  const needed = books !== undefined && books.countedBlock > provenBlock ? books.countedBlock : provenBlock
  if (block.number < needed) return { _tag: "Lagging", block: block.number, needed }
  const money = { balance, reserved, maybeSpent }
  const state = standing(orders, money)
  const pending = [...orders.pending.filter(({ id }) => id !== task.id), task]
  const held = orders.held.filter(({ id }) => id !== task.id)
  const one: Case = { task, pending, held, money, block, timeoutMs, deposits: state === "even" ? deposits : undefined }
  if (isShared) {
    const mayBePaid = task.totalCost <= freeAtMost(money) && maybeSpent > 0n
    return { _tag: "Shared", missing: missingFor(one, task), isOverdue: isOverdue(one, task), mayBePaid }
  }
  const lost = { _tag: "Lost", expected: books?.balance ?? zero, balance } as const
  if (state === "less") return lost
  const isClear = state === "even" || pending.length + held.length === 1
  const isThere = task.totalCost <= freeAtMost(money)
  if (isThere && !isClear) return { _tag: "Uncounted" }
  if (verdictsOf(one).get(task) === "fund") return { _tag: "Paid" }
  // More is missing than unproven payments explain: payments that the ledger takes for still to be made were made.
  if (state === "even" && balance + maybeSpent - foreign < lost.expected) return lost
  return isThere && maybeSpent > 0n ? { _tag: foreign > 0n ? "Foreign" : "Unproven" } : shortOf(one)
}

/** What is still to be paid in for the order; `undefined` where nobody can say. */
export const missingBy = (claim: Claim): Usdc | undefined => {
  switch (claim._tag) {
    case "Paid":
      return zero
    case "Short":
    case "Shared":
      return claim.missing
    default:
      return undefined
  }
}

const verdictsOf = ({ money, pending, held, block, timeoutMs, deposits }: Case): ReadonlyMap<Candidate, Verdict> =>
  judge(money, [...pending, ...held], block, timeoutMs, deposits)

/** A payment that is overdue by the clock of the chain. */
const isOverdue = ({ block, timeoutMs }: Case, task: Task): boolean => block.timeMs > deadlineMs(task, timeoutMs)

const shortOf = (one: Case): Short => {
  const { task, money } = one
  // Either every payment in flight was made, or none was.
  const paid = { ...one, money: { ...money, reserved: minus(money.reserved, money.maybeSpent), maybeSpent: zero } }
  const unpaid = { ...one, money: { ...money, maybeSpent: zero } }
  const enough = enoughFor(paid, task)
  const missing = enough ?? task.totalCost
  const taken = takenBeside(paid, task)
  const forHeld = keptForHeld(paid)
  const left = minus(minus(freeAtLeast(paid.money), taken), forHeld)
  const kept = minus(left, minus(task.totalCost, missing))
  return {
    _tag: "Short",
    missing,
    missingAtMost: missingFor(unpaid, task),
    isOverdue: isOverdue(one, task),
    kept,
    older: kept > 0n || enough === undefined ? olderThan(paid) : undefined,
    taken,
    forHeld
  }
}

/** What is kept for orders of the wallet that are held. */
const keptForHeld = (one: Case): Usdc => {
  const verdicts = verdictsOf(one)
  return sum(one.held.filter((other) => verdicts.get(other) === "keep").map(({ totalCost }) => totalCost))
}

/** What pays for the wallet's other orders at the next check. */
const takenBeside = (one: Case, task: Task): Usdc => {
  const verdicts = verdictsOf(one)
  return sum(one.pending.filter((other) => other !== task && verdicts.get(other) === "fund").map((o) => o.totalCost))
}

/** The oldest of those that keep money from the order: placed before it, not paid, and not overdue. */
const olderThan = (one: Case): Older | undefined => {
  const { task, pending } = one
  const verdicts = verdictsOf(one)
  const [oldest] = pending
    .filter((other) => isOlder(other, task) && verdicts.get(other) !== "fund" && !isOverdue(one, other))
    .toSorted((a, b) => (isOlder(a, b) ? -1 : 1))
  return oldest && { task: oldest, missing: missingFor(one, oldest) }
}

const isOlder = (a: Task, b: Task): boolean =>
  a.createdAtMs === b.createdAtMs ? a.id < b.id : a.createdAtMs < b.createdAtMs

/**
 * The least that, paid in now, makes the rules fund this order. It is its cost, less money that it may use: that is
 * all that is free, or the newest part of it, with or without what other orders take. `undefined` where no such
 * payment would do, as older orders come first.
 */
const enoughFor = (one: Case, task: Task): Usdc | undefined => {
  if (verdictsOf(one).get(task) === "fund") return zero
  const taken = takenBeside(one, task)
  let newest = zero
  const parts = (one.deposits ?? []).toReversed().map(({ amount }) => (newest = sum([newest, amount])))
  const usable = [zero, freeAtLeast(one.money), minus(freeAtLeast(one.money), keptForHeld(one)), ...parts]
  return [...usable, ...usable.map((part) => minus(part, taken))]
    .map((part) => minus(task.totalCost, part))
    .filter((amount) => amount > 0n)
    .toSorted((a, b) => (a < b ? -1 : 1))
    .find((amount) => verdictsOf(paidIn(one, task, amount)).get(task) === "fund")
}

const missingFor = (one: Case, task: Task): Usdc => enoughFor(one, task) ?? task.totalCost

/** The same with so much more in the wallet, paid in by now. */
const paidIn = (one: Case, task: Task, amount: Usdc): Case => {
  const { money, block, deposits } = one
  const timeMs = Math.max(block.timeMs, task.createdAtMs)
  const deposit: Deposit = { ...NO_TRANSFER, amount, block: { ...block, timeMs } }
  return {
    ...one,
    money: { ...money, balance: usdc(money.balance + amount) },
    deposits: deposits && [...deposits, deposit]
  }
}

/** The rules ask how much came and when, and not from whom. */
const NO_TRANSFER = { wallet: ZERO, from: ZERO, tx: "0x", logIndex: 0 } as const
