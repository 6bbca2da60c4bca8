import { notAheadOf, onLedgerTime } from "../domain/ledgerTime.ts"
import * as Clocks from "../ops/Clocks.ts"
import { Clock, Duration, Effect } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import { freeAtLeast, freeAtMost } from "../domain/Allocation.ts"
import { shortId, type Task, type TaskId } from "../domain/Task.ts"
import { format, type Usdc } from "../domain/Usdc.ts"
import { judge } from "../domain/Verdict.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { DecisionRepo, type TaskFile } from "../ledger/DecisionRepo.ts"
import { TaskRepo } from "../ledger/TaskRepo.ts"
import { findTask } from "./find.ts"
import { readMoney, standing } from "./money.ts"
import { commit } from "./commit.ts"
import { Refused } from "./Refused.ts"

export interface Cancelled {
  readonly command: "cancel"
  readonly taskId: TaskId
  readonly message: string
  /** What the wallet keeps as credit, as far as it is certain. `undefined` where there is no such wallet. */
  readonly credit: Usdc | undefined
}

/** Cancels an order that waits for its money, after a look at the chain: an order that is paid is not cancelled. */
export const cancel = Effect.fn("operator.cancel")(function* (name: string, why: string) {
  const file = yield* findTask(name)
  const { row, wallet } = file
  if (row.status !== "pending_payment") return yield* new Refused({ message: notWaiting(file) })
  const message = `Cancelled: ${why}`
  const evidence = wallet === undefined ? yield* withoutWallet : yield* unpaid(file, wallet)
  const cancellation = { taskId: row.id, walletId: row.walletId, version: evidence.version, message }
  const decision = { command: "cancel", said: `task ${row.id} is cancelled`, why }
  const repo = yield* DecisionRepo
  const nowMs = yield* Clock.currentTimeMillis
  yield* commit(`The order, or its wallet's money,`, decision, (made) =>
    repo.cancel(cancellation, evidence.block, made, nowMs)
  )
  return { command: "cancel", taskId: row.id, message, credit: evidence.credit } satisfies Cancelled as Cancelled
})

const notWaiting = ({ row }: TaskFile): string => {
  const task = `Task ${shortId(row.id)}`
  if (row.status !== "funded" && row.status !== "processing") return `${task} has ended already: it is ${row.status}.`
  return (
    `${task} is already paid (${row.status}) and is not cancelled. To give it up: ` +
    `ai-mint resolve ${shortId(row.id)} --as failed --why "…"; the rest of its money is then the wallet's credit.`
  )
}

/** Nobody can have paid to an address that nobody was told. */
const withoutWallet = Effect.map(
  Effect.flatMap(ChainClient, (chain) => chain.confirmedBlock),
  (block) => ({ block, version: 0n, credit: undefined })
)

/** What proves that the order is not paid; else the refusal that says what it may be. */
const unpaid = Effect.fnUntraced(function* ({ row, task }: TaskFile, wallet: Wallet) {
  const { orders, block, money } = yield* readMoney(wallet)
  const evidence = { block, version: orders.version, credit: freeAtLeast(money) }
  if (task === undefined || row.totalCost > freeAtMost(money)) return evidence
  const holds = `Its wallet ${wallet.agentAddress} holds ${format(freeAtLeast(money))} USDC that nothing else has reserved`
  if (orders.foreign > 0n)
    return yield* mayBePaid(task, wallet, "What another program's order of it spent is not certain")
  // What is not sure about the money is not held against the person who may have paid.
  if (standing(orders, money) !== "even") return yield* alreadyPaid(task, holds)
  const deposits = yield* (yield* TaskRepo).unspentDeposits([wallet.id])
  const pending = [...orders.pending.filter(({ id }) => id !== task.id), task]
  const aheadMs = yield* Clocks.ledgerAheadMs
  const left = deposits.map((deposit) => onLedgerTime({ ...deposit, amount: deposit.left }, aheadMs))
  const timeoutMs = Duration.toMillis((yield* Settings).paymentTimeout)
  const held = orders.held.filter(({ id }) => id !== task.id)
  if (judge(money, [...pending, ...held], notAheadOf(block, aheadMs), timeoutMs, left).get(task) === "fund")
    return yield* alreadyPaid(task, holds)
  if (money.maybeSpent === 0n) return evidence
  return yield* mayBePaid(task, wallet, "A payment of it is not proven yet")
})

const mayBePaid = (task: Task, { agentAddress }: Wallet, why: string) =>
  new Refused({
    message: `Task ${shortId(task.id)} may be paid, and is not cancelled. Wallet ${agentAddress}: ${why}. Try again when it is.`
  })

const alreadyPaid = (task: Task, holds: string) =>
  new Refused({
    message:
      `Task ${shortId(task.id)} is already paid, and is not cancelled. ${holds}, and it costs ${format(task.totalCost)}. ` +
      "The executor funds it at its next check."
  })
