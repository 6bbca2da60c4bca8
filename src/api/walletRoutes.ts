import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { refund } from "../operator/refund.ts"
import { Refused } from "../operator/Refused.ts"
import { resolveWallet } from "../operator/resolveWallet.ts"
import { withdraw } from "../operator/withdraw.ts"
import { asking, deciding } from "./answers.ts"
import { Api } from "./contract/Api.ts"
import type { RefundBody } from "../operator/requests.ts"
import { walletReport } from "./questions.ts"
import { inside } from "./Tools.ts"

export const layer = HttpApiBuilder.group(
  Api,
  "wallets",
  Effect.fnUntraced(function* (handlers) {
    const use = yield* inside
    return handlers.handleAll({
      show: ({ params }) => use(asking(walletReport(params.wallet))),
      resolve: ({ params, payload }) => use(deciding(resolveWallet(params.wallet, payload.why))),
      refund: ({ params, payload }) => use(deciding(refundTo(params.wallet, payload))),
      withdraw: ({ params, payload }) => use(deciding(withdraw(params.wallet, payload.refund, payload.why)))
    })
  })
)

const refundTo = Effect.fnUntraced(function* (
  wallet: string,
  { amount, to, confirm = false, why }: typeof RefundBody.Type
) {
  if (confirm && why === undefined) return yield* new Refused({ message: "With confirm, a reason is needed: why." })
  return yield* refund(wallet, { amount, to, confirm }, why ?? "")
})
