import type { Candidate, OwnDeposit } from "./Allocation.ts"
import type { UnspentDeposit } from "./Deposit.ts"
import type { SeenPayIn } from "./PayIn.ts"
import { sum, usdc } from "./Usdc.ts"
import type { WalletOrders } from "./WalletState.ts"

/** The part of the evidence about a wallet that pay-ins concern. */
interface PaidInto {
  readonly orders: WalletOrders
  readonly payIns: ReadonlyArray<SeenPayIn>
  readonly deposits: ReadonlyArray<UnspentDeposit> | undefined
}

/** The pay-in of this order that may still come: until it is known what becomes of it, the order waits for nothing else. */
export const payInUnderWay = ({ payIns }: Pick<PaidInto, "payIns">, taskId: string): SeenPayIn | undefined =>
  payIns.find((one) => one.taskId === taskId && one.status === "live")

/**
 * The wallet without the orders whose pay-in may still come: they take no other money, and keep none from others. A
 * pay-in whose nonce is spent in a way that is not known may have brought its money already: so much is for no other order.
 */
export const besidePayIns = <A extends PaidInto>(evidence: A): A => {
  const live = evidence.payIns.filter(({ status }) => status === "live")
  if (live.length === 0) return evidence
  const awaited = new Set<string>(live.map(({ taskId }) => taskId))
  const isOther = ({ id }: Pick<Candidate, "id">): boolean => !awaited.has(id)
  const doubtful = live.filter(({ isUnused }) => !isUnused)
  const amount = sum(doubtful.map((one) => one.amount))
  const { orders, deposits, payIns } = evidence
  return {
    ...evidence,
    deposits: deposits && withoutThose(deposits, doubtful),
    payIns: payIns.filter(({ status }) => status !== "live"),
    orders: {
      ...orders,
      reserved: usdc(orders.reserved + amount),
      maybeSpent: usdc(orders.maybeSpent + amount),
      pending: orders.pending.filter(isOther),
      held: orders.held.filter(isOther)
    }
  }
}

/** Of each of these, the newest deposit that may be its own is left out. */
const withoutThose = (deposits: ReadonlyArray<UnspentDeposit>, payIns: ReadonlyArray<SeenPayIn>) =>
  payIns.reduce<ReadonlyArray<UnspentDeposit>>((left, { payer, amount }) => {
    const index = left.findLastIndex((one) => one.from === payer && one.amount === amount && one.left === amount)
    return left.filter((_, place) => place !== index)
  }, deposits)

/** The orders as they compete, each with the deposit that was signed for it. */
export const withOwnDeposits = <A extends Candidate>(
  candidates: ReadonlyArray<A>,
  { payIns }: Pick<PaidInto, "payIns">
): ReadonlyArray<A> => {
  const own = new Map<string, OwnDeposit>(
    payIns.flatMap(({ taskId, status, tx, payer, amount }) =>
      status === "settled" && tx !== undefined ? [[taskId, { tx, from: payer, amount }]] : []
    )
  )
  return own.size === 0 ? candidates : candidates.map((one) => ({ ...one, ownDeposit: own.get(one.id) }))
}
