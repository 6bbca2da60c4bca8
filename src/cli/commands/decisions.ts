import { Effect, Option } from "effect"
import * as Argument from "effect/cli/Argument"
// One module each: all of `effect/cli` would double the time until the first line.
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { Operator } from "../../operator/Operator.ts"
import { Adopted, Cancelled, Reopened, Resolved, Retried } from "../../operator/reports/decisions.ts"
import * as Input from "../flags.ts"
import { badUsage } from "../io.ts"
import { onOperator } from "../layers.ts"
import { printer, reporting } from "../print.ts"
import { adoptedWords, cancelledWords, reopenedWords, resolvedWords, retriedWords } from "../words/decisions.ts"

const common = { task: Input.task, why: Input.why, direct: Input.direct, json: Input.json }

export const cancelCommand = Command.make(
  "cancel",
  common,
  reporting(Cancelled, cancelledWords, ({ cancel }, { task, why }) => cancel(task, { why }))
).pipe(
  onOperator,
  Command.withDescription("Cancels an order that waits for its money. One that is paid is not cancelled."),
  Command.withExamples([{ command: 'ai-mint cancel abc12345 --why "the user asked"' }])
)

export const retryCommand = Command.make(
  "retry",
  common,
  reporting(Retried, retriedWords, ({ retry }, { task, why }) => retry(task, { why }))
).pipe(
  onOperator,
  Command.withDescription(
    "Gives a failed order another try, if its wallet has the money; or ends the hold of a held one."
  ),
  Command.withExamples([{ command: 'ai-mint retry abc12345 --why "the mint server is well again"' }])
)

export const adoptCommand = Command.make(
  "adopt",
  { ...common, mints: Input.mintsDelivered },
  reporting(Adopted, adoptedWords, ({ adopt }, { task, mints, why }) => adopt(task, { why, ...Input.given({ mints }) }))
).pipe(
  onOperator,
  Command.withDescription(
    "Takes over an order that v1.1 was minting, at once, without a proof of what v1.1 paid for it."
  ),
  Command.withExamples([
    {
      command: 'ai-mint adopt abc12345 --mints 7 --why "7 are on the explorer"',
      description: "7 mints were delivered"
    }
  ])
)

const outcome = Flag.Literals("as", Resolved.fields.as.literals).pipe(
  Flag.optional,
  Flag.withDescription(
    "delivered: the person has the mints. replaced: they are bought again, as the old payment is proven dead. " +
      "again: it was never paid, and mints that are on chain are not of this order: they are set aside, and it is paid for. " +
      "failed: nothing more is minted, and the rest of the money is free"
  )
)

const walletFlag = Flag.String("wallet").pipe(
  Flag.optional,
  Flag.withDescription("Instead of a task: ends the stop of this agent wallet (its id, its user's address, or its own)")
)

const printResolved = printer(Resolved, resolvedWords)
const printReopened = printer(Reopened, reopenedWords)

const EITHER = badUsage("Give a task with --as, or --wallet alone.")

export const resolveCommand = Command.make(
  "resolve",
  {
    task: Input.task.pipe(Argument.optional),
    as: outcome,
    batch: Input.batch,
    mints: Input.mintsOfBatch,
    wallet: walletFlag,
    why: Input.why,
    direct: Input.direct,
    json: Input.json
  },
  Effect.fnUntraced(function* ({ task, as, batch, mints, wallet, why, json }) {
    const operator = yield* Operator
    if (Option.isSome(wallet)) return yield* printReopened(yield* operator.reopen(wallet.value, { why }), json)
    if (Option.isNone(task) || Option.isNone(as)) return yield* EITHER
    const decision = { why, as: as.value, ...Input.given({ batch, mints }) }
    yield* printResolved(yield* operator.resolve(task.value, decision), json)
  })
).pipe(
  onOperator,
  Command.provideEffectDiscard(({ task, as, wallet }) =>
    (Option.isSome(wallet) ? Option.isSome(task) || Option.isSome(as) : Option.isNone(task) || Option.isNone(as))
      ? EITHER
      : Effect.void
  ),
  Command.withDescription(
    "Decides what the rules cannot: a batch that is held, or paid and not delivered; gives a task up; or ends the stop of a wallet."
  ),
  Command.withExamples([
    { command: 'ai-mint resolve abc12345 --as delivered --why "10 are on the explorer"' },
    { command: 'ai-mint resolve abc12345 --batch 2 --as replaced --why "its nonce was cancelled"' },
    { command: 'ai-mint resolve --wallet 0x… --why "the key is changed"', description: "The wallet goes on" }
  ])
)
