import type { AuthorizationOutcome } from "../../../src/domain/Authorization.ts"
import type { PayIn } from "../../../src/domain/PayIn.ts"
import type { Tables } from "../../support/memory/MemoryLedger.ts"
import type { WalletId } from "../../../src/domain/Wallet.ts"
import type { World } from "../World.ts"

/** What became of a pay-in on the chain, whether or not that counts already. */
export const outcomeOf = ({ chain }: World, { payer, nonce }: PayIn): AuthorizationOutcome =>
  chain.outcome(payer, nonce)

/** Its own transfer, once that is on the chain. */
export const paidBy = (world: World, payIn: PayIn) => {
  const outcome = outcomeOf(world, payIn)
  return outcome._tag === "Used" && outcome.to === payIn.payTo && outcome.value === payIn.amount ? outcome : undefined
}

/** What pay-ins brought for orders of a wallet that still wait: it is for those. */
export const broughtForWaiting = (world: World, { payIns, tasks }: Tables, agent: string): bigint =>
  [...payIns.values()]
    .filter(({ payIn }) => payIn.payTo === agent && tasks.get(payIn.taskId)?.status === "pending_payment")
    .filter(({ payIn }) => paidBy(world, payIn) !== undefined)
    .reduce((sum, { payIn }) => sum + payIn.amount, 0n)

/** Whether another program has set an order of the wallet to funded, or taken it further, whether or not money was there for it. */
export const hasForeignOrder = ({ tasks, taskStates }: Tables, walletId: WalletId): boolean =>
  [...tasks.values()].some(
    (task) =>
      task.walletId === walletId &&
      ["funded", "processing", "completed"].includes(task.status) &&
      taskStates.get(task.id)?.reservedAtBlock === undefined
  )
