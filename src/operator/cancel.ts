import { Effect } from "effect"
import { freeAtLeast } from "../domain/Allocation.ts"
import { isLive } from "../domain/Authorization.ts"
import { shortId, type Task } from "../domain/Task.ts"
import { format } from "../domain/Usdc.ts"
import { decidePayment, isCertainlyUnpaid, type WaitReason } from "../domain/PaymentDecision.ts"
import type { Wallet } from "../domain/Wallet.ts"
import type { TaskFile } from "../ledger/DecisionRepo.ts"
import { findTask } from "./find.ts"
import { readMoney } from "./money.ts"
import { commit } from "./commit.ts"
import { howLongYet } from "./payInWords.ts"
import { refuse, Refused } from "./Operator.ts"
import type { Cancelled } from "./reports/decisions.ts"
import type { WhyBody } from "./requests.ts"
import type { Services } from "./services.ts"

/** Cancels an order that waits for its money, after a look at the chain: an order that is paid is not cancelled. */
export const cancel = Effect.fn("operator.cancel")(function* (services: Services, name: string, { why }: WhyBody) {
  const file = yield* findTask(services, name)
  const { row, wallet } = file
  if (row.status !== "pending_payment") return yield* notWaiting(file)
  const message = `Cancelled: ${why}`
  const evidence = wallet === undefined ? yield* withoutWallet(services) : yield* unpaid(services, file, wallet)
  const cancellation = { taskId: row.id, walletId: row.walletId, version: evidence.version, message }
  const decision = { command: "cancel", said: `task ${row.id} is cancelled`, why }
  yield* commit(`The order, or its wallet's money,`, decision, (made, nowMs) =>
    services.decisions.cancel(cancellation, evidence.block, made, nowMs)
  )
  return { command: "cancel", taskId: row.id, message, credit: evidence.credit } satisfies Cancelled as Cancelled
})

const notWaiting = ({ row, batches }: TaskFile) => {
  const task = `Task ${shortId(row.id)}`
  const isOver = row.status !== "funded" && row.status !== "processing"
  if (isOver) return refuse(`${task} has ended already: it is ${row.status}.`, "already_ended")
  return refuse(
    `${task} is already paid (${row.status}) and is not cancelled. To give it up: ` +
      `ai-mint resolve ${shortId(row.id)} --as failed --why "…"; the rest of its money is then the wallet's credit.`,
    batches.some(isLive) ? "payment_in_flight" : "already_paid"
  )
}

/** There is no address that a person could have paid to. */
const withoutWallet = ({ chain }: Services) =>
  Effect.map(chain.confirmedBlock, (block) => ({ block, version: 0n, credit: undefined }))

/** What proves that the order is not paid; else the refusal that says what it may be. */
const unpaid = Effect.fnUntraced(function* (services: Services, { row, task }: TaskFile, wallet: Wallet) {
  const { orders, block, money, evidence } = yield* readMoney(services, wallet)
  const payIn = orders.payIns.find((one) => one.taskId === row.id && one.status === "live")
  if (payIn !== undefined) {
    return yield* refuse(underWay(row, payIn.validBefore * 1000, block.timeMs), "payment_in_flight")
  }
  const proof = { block, version: orders.version, credit: freeAtLeast(money) }
  // Where more was paid than the ledger knows of, a part of what is reserved may be free.
  const isProof = !evidence.mayBeRestored && isCertainlyUnpaid(evidence, row)
  if (task === undefined || isProof) return proof
  if (orders.foreign > 0n) return yield* mayBePaid(task, wallet, doubts({ _tag: "ForeignOrder" }))
  const decision = decidePayment(evidence, task)
  const isUnpaid = decision._tag === "Cancel" || (decision._tag === "Wait" && ASKS_NOTHING.has(decision.why._tag))
  if (isUnpaid) return proof
  const free = format(freeAtLeast(money))
  if (decision._tag === "Fund" || decision.why._tag === "DepositsUnread") return yield* alreadyPaid(task, wallet, free)
  return yield* mayBePaid(task, wallet, doubts(decision.why))
})

/** Also where the chain shows by now that it does not come: the executor writes that down first, at its next check. */
const underWay = ({ id }: Pick<Task, "id">, validBeforeMs: number, chainMs: number): string =>
  `A payment is under way: its client signed it for task ${shortId(id)}, and it comes${howLongYet(validBeforeMs, chainMs)}. ` +
  "When it has arrived, the order is paid; when it cannot come any more, the order can be cancelled. Try again then."

/** The order is not paid: whether to wait for its money is for a person to say. */
const ASKS_NOTHING: ReadonlySet<WaitReason["_tag"]> = new Set(["Short", "UsdcPaused"])

/** What is not certain about the money is not held against the person who may have paid. */
const doubts = (why: WaitReason): string => {
  switch (why._tag) {
    case "ForeignOrder":
      return "What another program's order of it spent is not certain. Try again when it is."
    case "Unproven":
      return "A payment of it is not proven yet. Try again when it is."
    case "Stopped":
      return `It is stopped: ${why.reason}. Find out where its money went first.`
    case "FundsMissing":
      return `Its sums are not clear: ${why.reason}. Try again when they are.`
    case "ReservedTwice":
      return "What is reserved for its other orders may be paid already. Try again when that is known."
    default:
      return "Its sums are not clear: more was paid than the ledger knows of. Try again when they are."
  }
}

const mayBePaid = (task: Task, { agentAddress }: Wallet, why: string) =>
  refuse(`Task ${shortId(task.id)} may be paid, and is not cancelled. Wallet ${agentAddress}: ${why}`, "may_be_paid")

const alreadyPaid = (task: Task, { agentAddress }: Wallet, free: string) =>
  new Refused({
    message:
      `Task ${shortId(task.id)} is already paid, and is not cancelled. Its wallet ${agentAddress} holds ${free} USDC ` +
      `that nothing else has reserved, and it costs ${format(task.totalCost)}. ` +
      "The executor funds it at its next check.",
    code: "already_paid"
  })
