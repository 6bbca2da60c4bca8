import { Effect, Option } from "effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { type Outcome, resolve, type ResolveOptions } from "../../operator/resolve.ts"
import { resolveWallet } from "../../operator/resolveWallet.ts"
import * as Input from "../flags.ts"
import { badUsage } from "../io.ts"
import type { Kit } from "../Kit.ts"
import { decide } from "./decide.ts"

const OUTCOMES = ["delivered", "replaced", "again", "failed"] as const satisfies ReadonlyArray<Outcome>

const outcome = Flag.Literals("as", OUTCOMES).pipe(
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

const input = {
  task: Input.task.pipe(Argument.optional),
  as: outcome,
  batch: Input.batch,
  mints: Input.mintsOfBatch,
  wallet: walletFlag,
  why: Input.why,
  direct: Input.direct,
  json: Input.json
}

const EITHER = "Give a task with --as, or --wallet alone."

export const resolveCommand = <E>(kit: Kit<E>) =>
  Command.make(
    "resolve",
    input,
    Effect.fnUntraced(function* ({ task, as, batch, mints, wallet, why, ...asked }) {
      if (Option.isSome(wallet)) {
        if (Option.isSome(task) || Option.isSome(as)) return yield* badUsage(EITHER)
        return yield* Effect.asVoid(
          decide(kit, asked, {
            through: ({ wallets }) => wallets.resolve({ params: { wallet: wallet.value }, payload: { why } }),
            straight: resolveWallet(wallet.value, why)
          })
        )
      }
      if (Option.isNone(task) || Option.isNone(as)) return yield* badUsage(EITHER)
      const options = { as: as.value, batch: Option.getOrUndefined(batch), mints: Option.getOrUndefined(mints) }
      yield* decide(kit, asked, {
        through: ({ tasks }) => tasks.resolve({ params: { task: task.value }, payload: { why, ...given(options) } }),
        straight: resolve(task.value, options, why)
      })
    })
  ).pipe(
    Command.withDescription(
      "Decides what the rules cannot: a batch that is held, or paid and not delivered; gives a task up; or ends the stop of a wallet."
    ),
    Command.withExamples([
      { command: 'ai-mint resolve abc12345 --as delivered --why "10 are on the explorer"' },
      { command: 'ai-mint resolve abc12345 --batch 2 --as replaced --why "its nonce was cancelled"' },
      { command: 'ai-mint resolve --wallet 0x… --why "the key is changed"', description: "The wallet goes on" }
    ])
  )

const given = ({ as, batch, mints }: ResolveOptions) => ({
  as,
  ...(batch === undefined ? {} : { batch }),
  ...(mints === undefined ? {} : { mints })
})
