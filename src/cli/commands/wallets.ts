import { Effect, Option } from "effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { Operator } from "../../operator/Operator.ts"
import { Reconciled, RefundReport, Withdrawn } from "../../operator/reports/decisions.ts"
import { WalletOpened, WalletReport } from "../../operator/reports/wallets.ts"
import * as Input from "../flags.ts"
import { badUsage, Ended, EXIT } from "../io.ts"
import { onExecutor, onOperator } from "../layers.ts"
import { printer, reporting } from "../print.ts"
import { reconciledWords, refundedWords, withdrawnWords } from "../words/decisions.ts"
import { walletOpenedWords, walletWords } from "../words/wallet.ts"

const how = { direct: Input.direct, json: Input.json }

const showCommand = Command.make(
  "show",
  { wallet: Input.wallet, ...how },
  reporting(WalletReport, walletWords, ({ showWallet }, { wallet }) => showWallet(wallet))
).pipe(
  onOperator,
  Command.withDescription("What the chain shows of an agent wallet, beside what the ledger says."),
  Command.withExamples([{ command: "ai-mint wallets show 0x…", description: "By its own or its user's address" }])
)

const createCommand = Command.make(
  "create",
  {
    user: Input.addressFlag("user").pipe(Flag.withDescription("The person, by their own address: 0x…")),
    json: Input.json
  },
  reporting(WalletOpened, walletOpenedWords, ({ openWallet }, { user }) => openWallet({ user }))
).pipe(
  onExecutor,
  Command.withDescription("The agent wallet of a person, made if there is none: where that person pays to.")
)

export const walletsCommand = Command.make("wallets").pipe(
  Command.withDescription("Agent wallets: one for each user, where they pay to."),
  Command.withSubcommands([createCommand, showCommand])
)

const refundInput = {
  wallet: Input.wallet,
  amount: Input.amount,
  to: Input.to,
  confirm: Input.confirm,
  withdraw: Input.withdrawFlag,
  why: Input.whyWhereConfirmed,
  ...how
}

type RefundInput = Command.Command.Config.Infer<typeof refundInput>

/** What is wrong with a refund as it was typed. */
const refundFault = ({ amount, to, confirm, withdraw, why }: RefundInput): string | undefined => {
  if (Option.isSome(withdraw)) {
    return confirm || Option.isSome(amount) || Option.isSome(to) || Option.isNone(why)
      ? '--withdraw goes with a reason, --why "…", and with neither --amount, --to nor --confirm.'
      : undefined
  }
  if (confirm && Option.isNone(why)) return '--confirm needs a reason: --why "…"'
  return confirm && (Option.isNone(amount) || Option.isNone(to))
    ? "--confirm repeats the recipient and the amount that were shown without it: --to 0x… --amount n."
    : undefined
}

const printRefund = printer(RefundReport, refundedWords)
const printWithdrawn = printer(Withdrawn, withdrawnWords)

export const refundCommand = Command.make(
  "refund",
  refundInput,
  Effect.fnUntraced(function* ({ wallet, amount, to, confirm, withdraw, why, json }) {
    const operator = yield* Operator
    if (Option.isSome(withdraw) && Option.isSome(why)) {
      const withdrawal = { refund: withdraw.value, why: why.value }
      return yield* printWithdrawn(yield* operator.withdraw(wallet, withdrawal), json)
    }
    const report = yield* operator.refund(wallet, { confirm, ...Input.given({ amount, to, why }) })
    yield* printRefund(report, json)
    if (report.against.length > 0) return yield* new Ended({ code: EXIT.refused })
  })
).pipe(
  onOperator,
  Command.provideEffectDiscard((input: RefundInput) => {
    const fault = refundFault(input)
    return fault === undefined ? Effect.void : badUsage(fault)
  }),
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

const printReconciled = printer(Reconciled, reconciledWords)

export const reconcileCommand = Command.make(
  "reconcile",
  how,
  Effect.fnUntraced(function* ({ json }) {
    const report = yield* (yield* Operator).reconcile
    yield* printReconciled(report, json)
    if (report.differences.length > 0) return yield* new Ended({ code: EXIT.refused })
  })
).pipe(
  onOperator,
  Command.withDescription(
    "Compares the whole ledger with the chain, and changes nothing. Any difference is exit code 1."
  )
)
