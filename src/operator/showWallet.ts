import { Effect, Result } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import type { Block } from "../domain/Block.ts"
import { minus, type Usdc, zero } from "../domain/Usdc.ts"
import { type TaskView, type WalletStory, WatchRepo } from "../ledger/WatchRepo.ts"
import { findWallet } from "./find.ts"
import { missing } from "./Refused.ts"

export interface WalletReport {
  readonly command: "wallet"
  readonly story: WalletStory
  /** `undefined` where the chain does not answer. */
  readonly chain: { readonly balance: Usdc; readonly block: Block } | undefined
  /** On chain, and reserved for nothing. */
  readonly credit: Usdc | undefined
  /** Open orders, newest first. */
  readonly tasks: ReadonlyArray<TaskView>
}

const TASKS_MAX = 100

/** One agent wallet: what the chain shows beside what the ledger says. */
export const showWallet = Effect.fn("operator.showWallet")(function* (name: string) {
  const wallet = yield* findWallet(name)
  const watch = yield* WatchRepo
  // Reservations first, the chain second: what is reserved in between counts as free, and not twice.
  const story = yield* watch.walletStory(wallet.id)
  if (story === undefined) return yield* missing(`There is no agent wallet "${name.trim()}".`)
  const read = yield* Effect.result((yield* ChainClient).readBalances([wallet.agentAddress]))
  const chain = Result.isSuccess(read)
    ? { balance: read.success.usdc.get(wallet.agentAddress) ?? zero, block: read.success.block }
    : undefined
  const filter = { statuses: ["pending_payment", "funded", "processing"] as const, walletId: wallet.id }
  const { tasks } = yield* watch.listTasks(filter, { after: undefined, limit: TASKS_MAX })
  const credit = chain === undefined ? undefined : minus(chain.balance, story.reserved)
  return { command: "wallet", story, chain, credit, tasks } satisfies WalletReport as WalletReport
})
