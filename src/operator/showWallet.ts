import { Effect, Result } from "effect"
import { minus, zero } from "../domain/Usdc.ts"
import { decisionsForCaller, findWallet } from "./find.ts"
import { missing } from "./Operator.ts"
import type { WalletReport } from "./reports/wallets.ts"
import type { Services } from "./services.ts"
import { taskReports } from "./tasks.ts"

const TASKS_MAX = 100

/** One agent wallet: what the chain shows beside what the ledger says. */
export const showWallet = Effect.fn("operator.showWallet")(function* (services: Services, name: string) {
  const { chain: nodes, watch } = services
  const wallet = yield* findWallet(services, name)
  // Reservations first, the chain second: what is reserved in between counts as free, and not twice.
  const story = yield* watch.walletStory(wallet.id)
  if (story === undefined) return yield* missing(`There is no agent wallet "${name.trim()}".`)
  const read = yield* Effect.result(nodes.readBalances([wallet.agentAddress]))
  const chain = Result.isSuccess(read)
    ? { balance: read.success.usdc.get(wallet.agentAddress) ?? zero, block: read.success.block }
    : undefined
  const filter = { statuses: ["pending_payment", "funded", "processing"] as const, walletId: wallet.id }
  const { tasks } = yield* watch.listTasks(filter, { after: undefined, limit: TASKS_MAX })
  const credit = chain === undefined ? undefined : minus(chain.balance, story.reserved)
  return {
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
    tasks: yield* taskReports(services, tasks),
    deposits: story.deposits.map(({ block: { number: block, timeMs: at }, ...deposit }) => ({ ...deposit, block, at })),
    refunds: story.refunds.map(({ payTo: to, paymentTx: tx, createdAtMs: createdAt, ...refund }) => ({
      ...refund,
      to,
      tx,
      createdAt
    })),
    decisions: (yield* decisionsForCaller(story.decisions)).map(({ atMs: at, ...decided }) => ({ at, ...decided }))
  } satisfies WalletReport as WalletReport
})
