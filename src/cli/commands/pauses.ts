import { Effect, Option } from "effect"
import * as Command from "effect/cli/Command"
import { Paused } from "../../operator/reports/wallets.ts"
import * as Input from "../flags.ts"
import { badUsage } from "../io.ts"
import { onExecutor } from "../layers.ts"
import { reporting } from "../print.ts"
import { pausedWords } from "../words/pauses.ts"

const change = (command: "pause" | "resume") =>
  Command.make(
    command,
    { token: Input.tokenOnly, wallet: Input.walletOnly, why: Input.why, json: Input.json },
    reporting(Paused, pausedWords, (operator, { token, wallet, why }) =>
      operator[command]({ why, ...Input.given({ token, wallet }) })
    )
  ).pipe(
    onExecutor,
    Command.provideEffectDiscard(({ token, wallet }) =>
      Option.isSome(token) && Option.isSome(wallet) ? badUsage("Give --token or --wallet, not both.") : Effect.void
    )
  )

export const pauseCommand = change("pause").pipe(
  Command.withDescription(
    "Signs no new payment until it is resumed, over restarts too. Money is still seen, and what is on its way is followed."
  ),
  Command.withExamples([
    { command: 'ai-mint pause --why "the mint server is being repaired"', description: "Everything" },
    { command: 'ai-mint pause --token 0x… --why "sold out"', description: "One token" }
  ])
)

export const resumeCommand = change("resume").pipe(
  Command.withDescription("Ends the pause with the same --token, --wallet or neither.")
)

export const pausesCommand = Command.make(
  "pauses",
  { json: Input.json },
  reporting(Paused, pausedWords, ({ pauses }) => pauses)
).pipe(onExecutor, Command.withDescription("What is paused now, and why."))
