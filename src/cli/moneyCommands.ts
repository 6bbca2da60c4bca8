import { Effect, Option } from "effect"
import * as Command from "effect/cli/Command"
import { reconcile } from "../operator/reconcile.ts"
import { refund } from "../operator/refund.ts"
import * as Input from "./flags.ts"
import { badUsage, Ended, EXIT } from "./io.ts"
import type { Tell } from "./tell.ts"

export const refundCommand = <E>(tell: Tell<E>) =>
  Command.make(
    "refund",
    {
      wallet: Input.wallet,
      amount: Input.amount,
      confirm: Input.confirm,
      why: Input.whyWhereConfirmed,
      json: Input.json
    },
    Effect.fnUntraced(function* ({ wallet, amount, confirm, why, json }) {
      if (confirm && Option.isNone(why)) return yield* badUsage('--confirm needs a reason: --why "…"')
      const options = { confirm, amount: Option.getOrUndefined(Option.map(amount, Input.parseAmount)) }
      const report = yield* tell(
        refund(
          wallet,
          options,
          Option.getOrElse(why, () => "")
        ),
        json
      )
      if (report.against.length > 0) return yield* new Ended({ code: EXIT.refused })
    })
  ).pipe(
    Command.withDescription(
      "Sends free credit of an agent wallet back to its own user. Tells what it would do, and does it with --confirm."
    )
  )

export const reconcileCommand = <E>(tell: Tell<E>) =>
  Command.make(
    "reconcile",
    { json: Input.json },
    Effect.fnUntraced(function* ({ json }) {
      const { differences } = yield* tell(reconcile(), json)
      if (differences.length > 0) return yield* new Ended({ code: EXIT.refused })
    })
  ).pipe(
    Command.withDescription(
      "Compares the whole ledger with the chain, and changes nothing. Any difference is exit code 1."
    )
  )
