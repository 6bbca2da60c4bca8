import { Effect } from "effect"
import { findWallet } from "./find.ts"
import { readMoney } from "./money.ts"
import { commit } from "./commit.ts"
import { refuse } from "./Operator.ts"
import type { Reopened } from "./reports/decisions.ts"
import type { WhyBody } from "./requests.ts"
import type { Services } from "./services.ts"

/** Ends the stop of a wallet, when a person knows where its money went: its books begin with what the chain shows. */
export const resolveWallet = Effect.fn("operator.resolveWallet")(function* (
  services: Services,
  name: string,
  { why }: WhyBody
) {
  const wallet = yield* findWallet(services, name)
  const { orders, block, money } = yield* readMoney(services, wallet)
  const { stopped, twin, version, wallet: seen } = orders
  if (stopped === undefined) return yield* refuse(`Wallet ${wallet.agentAddress} is not stopped.`)
  if (twin !== undefined) {
    return yield* refuse(
      `Agent wallet ${twin} has the same agent_address: two rows may not spend one account's money. Take one of them out first.`
    )
  }
  const opening = { walletId: wallet.id, balance: money.balance, version, seen }
  const decision = { command: "resolve", said: `wallet ${wallet.agentAddress} goes on: ${stopped}`, why }
  yield* commit(`The wallet's money`, decision, (made, nowMs) =>
    services.decisions.reopenBooks(opening, block, made, nowMs)
  )
  return {
    command: "resolve",
    walletId: wallet.id,
    wallet: wallet.agentAddress,
    stopped,
    balance: money.balance,
    block: block.number
  } satisfies Reopened as Reopened
})
