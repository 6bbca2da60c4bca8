import { Effect, Option } from "effect"
import * as Command from "effect/cli/Command"
import { reconcile } from "../../operator/reconcile.ts"
import { refund } from "../../operator/refund.ts"
import { withdraw } from "../../operator/withdraw.ts"
import { AUDIT } from "../client/ask.ts"
import * as Input from "../flags.ts"
import { badUsage, Ended, EXIT } from "../io.ts"
import type { Kit } from "../Kit.ts"
import { decide } from "./decide.ts"

const WITHDRAW_ALONE = '--withdraw goes with a reason, --why "…", and with neither --amount, --to nor --confirm.'

const REPEAT = "--confirm repeats the recipient and the amount that were shown without it: --to 0x… --amount n."

const refundInput = {
  wallet: Input.wallet,
  amount: Input.amount,
  to: Input.to,
  confirm: Input.confirm,
  withdraw: Input.withdraw,
  why: Input.whyWhereConfirmed,
  direct: Input.direct,
  json: Input.json
}

export const refundCommand = <E>(kit: Kit<E>) =>
  Command.make(
    "refund",
    refundInput,
    Effect.fnUntraced(function* ({
      wallet,
      amount: text,
      to: recipient,
      confirm,
      withdraw: refundId,
      why: given,
      ...asked
    }) {
      if (Option.isSome(refundId)) {
        if (confirm || Option.isSome(text) || Option.isSome(recipient) || Option.isNone(given))
          return yield* badUsage(WITHDRAW_ALONE)
        const payload = { refund: refundId.value, why: given.value }
        yield* decide(kit, asked, {
          through: ({ wallets }) => wallets.withdraw({ params: { wallet }, payload }),
          straight: withdraw(wallet, payload.refund, payload.why)
        })
        return
      }
      if (confirm && Option.isNone(given)) return yield* badUsage('--confirm needs a reason: --why "…"')
      const amount = Option.getOrUndefined(Option.map(text, Input.parseAmount))
      const why = Option.getOrUndefined(given)
      const to = Option.getOrUndefined(recipient)
      if (confirm && (amount === undefined || to === undefined)) return yield* badUsage(REPEAT)
      const said = {
        ...(amount === undefined ? {} : { amount }),
        ...(to === undefined ? {} : { to }),
        ...(why === undefined ? {} : { why })
      }
      const report = yield* decide(kit, asked, {
        through: ({ wallets }) => wallets.refund({ params: { wallet }, payload: { confirm, ...said } }),
        straight: refund(wallet, { confirm, amount, to }, why ?? "")
      })
      if (report.against.length > 0) return yield* new Ended({ code: EXIT.refused })
    })
  ).pipe(
    Command.withDescription(
      "Sends free credit of an agent wallet back to its own user. Tells what it would do, and does it with --confirm, --to and --amount."
    ),
    Command.withExamples([
      { command: "ai-mint refund 0x…", description: "What would be sent, and what is against it" },
      { command: 'ai-mint refund 0x… --to 0x… --amount 2.5 --confirm --why "paid too much"', description: "Does it" },
      {
        command: 'ai-mint refund 0x… --withdraw 4ebde527 --why "the user is on the blacklist of USDC"',
        description: "Gives up a refund that does not get on chain"
      }
    ])
  )

export const reconcileCommand = <E>(kit: Kit<E>) =>
  Command.make(
    "reconcile",
    { direct: Input.direct, json: Input.json },
    Effect.fnUntraced(function* (asked) {
      const { differences } = yield* decide(
        kit,
        asked,
        { through: ({ control }) => control.reconcile(), straight: reconcile() },
        AUDIT
      )
      if (differences.length > 0) return yield* new Ended({ code: EXIT.refused })
    })
  ).pipe(
    Command.withDescription(
      "Compares the whole ledger with the chain, and changes nothing. Any difference is exit code 1."
    )
  )
