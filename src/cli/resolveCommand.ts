import { Effect, Option } from "effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { type Outcome, resolve } from "../operator/resolve.ts"
import { resolveWallet } from "../operator/resolveWallet.ts"
import * as Input from "./flags.ts"
import { badUsage } from "./io.ts"
import type { Tell } from "./tell.ts"

const OUTCOMES = ["delivered", "replaced", "failed"] as const satisfies ReadonlyArray<Outcome>

const outcome = Flag.Literals("as", OUTCOMES).pipe(
  Flag.optional,
  Flag.withDescription(
    "delivered: the person has the mints. replaced: they are bought again, as the old payment is proven dead. " +
      "failed: nothing more is minted, and the rest of the money is free"
  )
)

const walletFlag = Flag.String("wallet").pipe(
  Flag.optional,
  Flag.withDescription("Instead of a task: ends the stop of this agent wallet (its id, its user's address, or its own)")
)

export const resolveCommand = <E>(tell: Tell<E>) =>
  Command.make(
    "resolve",
    {
      task: Input.task.pipe(Argument.optional),
      as: outcome,
      batch: Input.batch,
      mints: Input.mintsOfBatch,
      wallet: walletFlag,
      why: Input.why,
      json: Input.json
    },
    Effect.fnUntraced(function* ({ task, as, batch, mints, wallet, why, json }) {
      if (Option.isSome(wallet)) {
        if (Option.isSome(task) || Option.isSome(as))
          return yield* badUsage("Give a task with --as, or --wallet alone.")
        return yield* Effect.asVoid(tell(resolveWallet(wallet.value, why), json))
      }
      if (Option.isNone(task) || Option.isNone(as)) return yield* badUsage("Give a task with --as, or --wallet alone.")
      const options = { as: as.value, batch: Option.getOrUndefined(batch), mints: Option.getOrUndefined(mints) }
      yield* tell(resolve(task.value, options, why), json)
    })
  ).pipe(
    Command.withDescription(
      "Decides what the rules cannot: a batch that is held, or paid and not delivered; gives a task up; or ends the stop of a wallet."
    )
  )
