import type { Batch } from "../domain/Batch.ts"
import { isOffered } from "../domain/offered.ts"
import type { Explanation } from "../operator/explain.ts"
import type { WalletReport } from "../operator/showWallet.ts"
import type { AttentionItem, LedgerEvent, TaskView } from "../ledger/WatchRepo.ts"
import type * as System from "../operator/reports/status.ts"
import type * as Tasks from "../operator/reports/tasks.ts"
import type * as Wallets from "../operator/reports/wallets.ts"
import type { Incident } from "../ops/Incidents.ts"
import { causeOf, shortId } from "../domain/Task.ts"

const sound = (ms: number): number | undefined => (Number.isFinite(ms) ? ms : undefined)

export const taskOf = (task: TaskView, paymentTimeoutMs: number): Tasks.TaskReport => ({
  id: task.id,
  status: task.status,
  held: task.held === undefined ? undefined : { reason: task.held.reason, since: task.held.sinceMs },
  userAddress: task.userAddress,
  agentWalletId: task.walletId,
  agentAddress: task.agentAddress,
  tokenAddress: task.token,
  quantity: task.quantity,
  pricePerMint: task.pricePerMint,
  totalCost: task.totalCost,
  received: task.received,
  mintsCompleted: task.mintsCompleted,
  mintsFailed: task.mintsFailed,
  retryCount: task.retryCount,
  errorMessage: task.errorMessage,
  fundingTx: task.fundingTx,
  createdAt: sound(task.createdAtMs),
  deadline: sound(task.createdAtMs + paymentTimeoutMs),
  fundedAt: task.fundingReceivedAtMs,
  startedAt: task.startedAtMs,
  completedAt: task.completedAtMs,
  nextActionAt: task.nextActionAtMs
})

const batchOf = (batch: Batch): Tasks.Explanation["batches"][number] => ({
  number: batch.number,
  status: batch.status,
  since: batch.statusSinceMs,
  quantity: batch.quantity,
  minted: batch.minted,
  amount: batch.amount,
  paidAmount: batch.paidAmount,
  nonce: batch.nonce,
  payTo: batch.window?.payTo ?? batch.payTo,
  validBefore: batch.window === undefined ? undefined : batch.window.validBefore * 1000,
  paymentTx: batch.paymentTx,
  mintTxs: batch.mintTxs,
  reason: batch.reason,
  nextActionAt: batch.nextActionAtMs
})

export const explanationOf = (explanation: Explanation, paymentTimeoutMs: number): Tasks.Explanation => ({
  ...explanation,
  task: taskOf(explanation.task, paymentTimeoutMs),
  steps: explanation.steps.map(({ atMs, kind, text, batch, txs }) => ({ at: atMs, kind, text, batch, txs })),
  batches: explanation.batches.map(batchOf),
  next: {
    text: explanation.next.text,
    at: explanation.next.atMs,
    commands: explanation.next.commands.filter(isOffered)
  }
})

export const walletOf = (
  { story, chain, credit, tasks }: WalletReport,
  paymentTimeoutMs: number
): Wallets.WalletReport => ({
  command: "wallet",
  id: story.wallet.id,
  userAddress: story.wallet.userAddress,
  agentAddress: story.wallet.agentAddress,
  stopped: story.stopped === undefined ? undefined : { reason: story.stopped.reason, since: story.stopped.sinceMs },
  chain: chain && { balance: chain.balance, block: chain.block.number, at: chain.block.timeMs },
  ledger: {
    expected: story.books?.balance,
    countedTo: story.books?.block,
    reserved: story.reserved,
    maybeSpent: story.maybeSpent,
    lastPaymentBlock: story.provenBlock
  },
  credit,
  tasks: tasks.map((task) => taskOf(task, paymentTimeoutMs)),
  deposits: story.deposits.map(({ tx, from, amount, left, block }) => ({
    tx,
    from,
    amount,
    left,
    block: block.number,
    at: block.timeMs
  })),
  refunds: story.refunds.map(({ id, status, amount, payTo, paymentTx, reason, createdAtMs }) => ({
    id,
    status,
    amount,
    to: payTo,
    tx: paymentTx,
    reason,
    createdAt: createdAtMs
  })),
  decisions: story.decisions.map(({ atMs: at, ...decided }) => ({ at, ...decided }))
})

/** What is said where no reason is noted. */
const ABOUT = {
  held: "Held for a person",
  undelivered: "Paid, and not delivered",
  unknown: "Sent, and the outcome is not proven yet",
  stopped: "The wallet is stopped",
  refund: "A refund is not sent"
}

/** Where a name is none that may be typed, the way to all that waits. */
const commandFor = ({ taskId, agentAddress, walletId }: AttentionItem): string => {
  const command = taskId === undefined ? `wallets show ${agentAddress ?? walletId}` : `tasks explain ${shortId(taskId)}`
  return isOffered(command) ? command : "status"
}

export const attentionOf = (item: AttentionItem): System.Attention => ({
  kind: item.kind,
  taskId: item.taskId,
  wallet: item.agentAddress ?? item.walletId,
  batch: item.batch,
  since: item.sinceMs,
  alike: item.alike,
  text: item.reason === "" ? ABOUT[item.kind] : causeOf(item.reason),
  command: commandFor(item)
})

/** What keeps everybody's work waiting, and belongs to no order. */
export const incidentOf = ({ words, sinceMs }: Incident): System.Attention => ({
  kind: "incident",
  taskId: undefined,
  wallet: undefined,
  batch: undefined,
  since: sinceMs,
  text: words,
  alike: 1,
  command: "doctor"
})

export const eventOf = (event: LedgerEvent): System.EventReport => ({
  id: event.id,
  at: event.atMs,
  kind: event.kind,
  taskId: event.taskId,
  walletId: event.walletId,
  batch: event.batch,
  detail: event.detail
})
