import { Effect } from "effect"
import { blockBefore } from "../domain/Block.ts"
import type { Refund } from "../domain/Refund.ts"
import { shortId } from "../domain/Task.ts"
import type { WalletId } from "../domain/Wallet.ts"
import { withdrawRefund as withdrawStep } from "../domain/transferTransitions.ts"
import { format } from "../domain/Usdc.ts"
import { findWallet } from "./find.ts"
import { commit } from "./commit.ts"
import { missing, refuse } from "./Operator.ts"
import type { Withdrawn } from "./reports/decisions.ts"
import type { WithdrawBody } from "./requests.ts"
import type { Services } from "./services.ts"

/**
 * Gives up a refund that does not get on chain: its money is the wallet's credit again. Refused while a signed transfer of
 * it may still be taken to the chain, and where the chain shows that it was.
 */
export const withdraw = Effect.fn("operator.withdraw")(function* (
  services: Services,
  name: string,
  decision: WithdrawBody
) {
  const { why } = decision
  const wallet = yield* findWallet(services, name)
  const refund = yield* refundOf(services, wallet.id, decision.refund)
  yield* mayBeWithdrawn(services, refund)
  const said = `refund ${refund.id} is withdrawn: ${format(refund.amount)} USDC stay in the wallet`
  yield* commit("The refund", { command: "refund", said, why }, (made, nowMs) =>
    services.decisions.withdrawRefund({ before: refund, after: withdrawStep(refund, why) }, made, nowMs)
  )
  const { id: refundId, payTo: to, amount } = refund
  return { command: "withdraw", refundId, wallet: wallet.agentAddress, to, amount } satisfies Withdrawn as Withdrawn
})

const refundOf = Effect.fnUntraced(function* ({ decisions }: Services, walletId: WalletId, name: string) {
  const wanted = name.trim().toLowerCase()
  const found = (yield* decisions.refundsOf(walletId)).filter(({ id }) => id.startsWith(wanted))
  if (wanted.length < 8 || found.length === 0) {
    return yield* missing(`The wallet has no refund ${wanted}: ai-mint wallets show lists them.`)
  }
  const [refund] = found
  if (refund !== undefined && found.length === 1) return refund
  return yield* refuse(
    `Several refunds begin with ${wanted}: ${found.map(({ id }) => id).join(", ")}. Give the whole id.`
  )
})

const mayBeWithdrawn = Effect.fnUntraced(function* ({ chain, settings }: Services, refund: Refund) {
  const named = `Refund ${shortId(refund.id)}`
  if (refund.status === "signed") {
    return yield* refuse(
      `${named} is signed, and may be taken to the chain at any moment: wait until it is paid or has lapsed, at most ` +
        "AUTHORIZATION_WINDOW. ai-mint pause --wallet keeps it from being signed again."
    )
  }
  if (refund.status !== "planned" && !refund.keepsMoney) {
    return yield* refuse(`${named} is ${refund.status} and keeps no money: nothing is to be withdrawn.`)
  }
  const fromBlock = blockBefore(yield* chain.confirmedBlock, refund.createdAtMs, settings.network.blockSeconds)
  const { outcomes } = yield* chain.readAuthorizations([{ payer: refund.payer, nonce: refund.nonce, fromBlock }])
  const outcome = outcomes[0]?._tag ?? "Unexplained"
  if (outcome === "Unused" || outcome === "Canceled") return
  return yield* refuse(`${named} is on the chain already, or its nonce is spent: it is not withdrawn.`)
})
