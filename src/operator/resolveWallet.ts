import { Clock, Effect } from "effect"
import { DecisionRepo } from "../ledger/DecisionRepo.ts"
import { findWallet } from "./find.ts"
import { readMoney } from "./money.ts"
import { commit } from "./commit.ts"
import { Refused } from "./Refused.ts"
import type { Reopened } from "./reports/decisions.ts"

/** Ends the stop of a wallet, when a person knows where its money went: its books begin with what the chain shows. */
export const resolveWallet = Effect.fn("operator.resolveWallet")(function* (name: string, why: string) {
  const wallet = yield* findWallet(name)
  const { orders, block, money } = yield* readMoney(wallet)
  const { stopped, twin, version, wallet: seen } = orders
  if (stopped === undefined) return yield* new Refused({ message: `Wallet ${wallet.agentAddress} is not stopped.` })
  if (twin !== undefined) {
    const message = `Agent wallet ${twin} has the same agent_address: two rows may not spend one account's money. Take one of them out first.`
    return yield* new Refused({ message })
  }
  const opening = { walletId: wallet.id, balance: money.balance, version, seen }
  const decision = { command: "resolve", said: `wallet ${wallet.agentAddress} goes on: ${stopped}`, why }
  const nowMs = yield* Clock.currentTimeMillis
  const repo = yield* DecisionRepo
  yield* commit(`The wallet's money`, decision, (made) => repo.reopenBooks(opening, block, made, nowMs))
  return {
    command: "resolve",
    walletId: wallet.id,
    wallet: wallet.agentAddress,
    stopped,
    balance: money.balance,
    block: block.number
  } satisfies Reopened as Reopened
})
