import { Effect } from "effect"
import type { Balances, ChainClient } from "../chain/ChainClient.ts"
import type { AuthorizationOutcome } from "../domain/Authorization.ts"
import { lookAtPayIn, type PayIn, payInQuery, type SeenPayIn } from "../domain/PayIn.ts"
import { shortId, type TaskId } from "../domain/Task.ts"
import type { WalletId } from "../domain/Wallet.ts"
import type { WalletOrders } from "../domain/WalletState.ts"
import { format } from "../domain/Usdc.ts"
import { eachAlone } from "../ops/eachAlone.ts"
import * as Log from "../ops/Log.ts"
import { TaskRepo } from "../ledger/TaskRepo.ts"

/** What one block shows of wallets and of the payments that are under way into them. */
export interface WalletsSeen {
  readonly balances: Balances
  /** What became of live pay-ins, by their orders. */
  readonly outcomes: ReadonlyMap<TaskId, AuthorizationOutcome>
}

/** Balances, and what became of live pay-ins, all in one block. */
export const readWallets = Effect.fnUntraced(function* (
  { chain, blockSeconds }: { readonly chain: ChainClient["Service"]; readonly blockSeconds: number },
  orders: ReadonlyArray<WalletOrders>
) {
  const live = orders.flatMap(({ payIns }) => payIns.filter(({ status }) => status === "live"))
  const wallets = orders.map(({ wallet }) => wallet.agentAddress)
  const at = live.length === 0 ? undefined : yield* chain.confirmedBlock
  const balances = yield* chain.readBalances(wallets, at && live.map((one) => payInQuery(one, at, blockSeconds)))
  const outcomes = new Map(
    live.flatMap(({ taskId }, index): ReadonlyArray<[TaskId, AuthorizationOutcome]> => {
      const outcome = balances.outcomes[index]
      return outcome === undefined ? [] : [[taskId, outcome]]
    })
  )
  return { balances, outcomes } satisfies WalletsSeen as WalletsSeen
})

/** What is known of pay-ins, by the wallets that they go to. */
export type SeenPayIns = ReadonlyMap<WalletId, ReadonlyArray<SeenPayIn>>

/**
 * Writes down what the chain says of live pay-ins. What cannot be written down, or was by another executor, counts as
 * not known: then nothing is decided about its order, and its money is for no other one.
 */
export const makeSettlePayIns = Effect.gen(function* () {
  const repo = yield* TaskRepo
  return Effect.fn("CheckLoop.settlePayIns")(function* (
    orders: ReadonlyArray<WalletOrders>,
    { balances, outcomes }: WalletsSeen
  ) {
    const look = (payIn: PayIn) => lookAtPayIn(payIn, outcomes.get(payIn.taskId), balances.block)
    const isJudged = (payIn: PayIn) => payIn.status === "live" && look(payIn).status !== "live"
    const judged = orders.flatMap(({ payIns }) => payIns.filter(isJudged).map(look))
    const saved = new Set(yield* eachAlone(judged, (some) => repo.savePayIns(some)))
    yield* Effect.forEach(
      judged.filter(({ taskId }) => saved.has(taskId)),
      tell,
      { discard: true }
    )
    const seen = (payIn: PayIn): SeenPayIn =>
      isJudged(payIn) && !saved.has(payIn.taskId) ? { ...payIn, isUnused: false } : look(payIn)
    return new Map(orders.map(({ wallet, payIns }) => [wallet.id, payIns.map(seen)])) satisfies SeenPayIns as SeenPayIns
  })
})

const tell = ({ status, taskId, payer, amount, tx, reason }: PayIn) => {
  const words = `${format(amount)} USDC that ${payer} signed for task ${shortId(taskId)}`
  const fields = { task: taskId, ...(tx && { tx }) }
  return status === "settled"
    ? Log.info(`💵 ${words} arrived`, fields)
    : Log.info(`💸 ${words} do not come: ${reason}`, fields)
}
