import type { Address, Bytes32 } from "./Address.ts"
import type { Block } from "./Block.ts"
import type { TaskId } from "./Task.ts"
import { type Usdc, usdc } from "./Usdc.ts"

/** A USDC `Transfer` into a wallet. */
export interface Deposit {
  readonly wallet: Address
  readonly from: Address
  readonly amount: Usdc
  readonly tx: Bytes32
  readonly logIndex: number
  readonly block: Block
}

/** A deposit of which no order and no refund has taken everything yet. */
export interface UnspentDeposit extends Deposit {
  /** What is left of it, at most `amount`. */
  readonly left: Usdc
}

/** A part of a deposit that pays for an order or goes back in a refund. */
export interface DepositUse {
  readonly tx: Bytes32
  readonly logIndex: number
  /** More than zero. */
  readonly amount: Usdc
}

interface Cost {
  readonly id: TaskId
  readonly totalCost: Usdc
}

/** Which money each of these orders is paid with, and the transfer that made it enough. */
export interface PaidWith {
  readonly uses: ReadonlyArray<DepositUse>
  /** The newest transfer that was used; `undefined` where all of it was there before the history begins. */
  readonly last: Deposit | undefined
}

/**
 * The deposits that orders are paid with, for the record and so that the same money is not taken for another order: for
 * each the newest one of exactly its cost, else the oldest ones that have something left.
 */
export const depositsFor = (
  orders: ReadonlyArray<Cost>,
  unspent: ReadonlyArray<UnspentDeposit>
): ReadonlyMap<TaskId, PaidWith> => {
  const oldestFirst = unspent.map((deposit) => ({ deposit, left: deposit.left as bigint }))
  const paid = new Map<TaskId, PaidWith>()
  const take = (order: Cost, from: typeof oldestFirst) => {
    const uses: Array<DepositUse> = []
    let owed: bigint = order.totalCost
    let last: Deposit | undefined
    for (const source of from) {
      const amount = source.left < owed ? source.left : owed
      if (amount === 0n) continue
      const { deposit } = source
      source.left -= amount
      owed -= amount
      last = deposit
      uses.push({ tx: deposit.tx, logIndex: deposit.logIndex, amount: usdc(amount) })
    }
    paid.set(order.id, { uses, last })
  }
  const exactly = (order: Cost) =>
    oldestFirst.findLast(({ deposit, left }) => left === order.totalCost && deposit.amount === order.totalCost)
  const others: Array<Cost> = []
  for (const order of orders) {
    const exact = exactly(order)
    if (exact === undefined) others.push(order)
    else take(order, [exact])
  }
  for (const order of others) take(order, oldestFirst)
  return paid
}
