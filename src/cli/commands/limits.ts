import { Effect, Option } from "effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { Limits } from "../../operator/reports/limits.ts"
import * as Input from "../flags.ts"
import { badUsage } from "../io.ts"
import { onExecutor } from "../layers.ts"
import { reporting } from "../print.ts"
import { limitsWords } from "../words/limits.ts"

const target = {
  token: Input.addressFlag("token").pipe(Flag.optional, Flag.withDescription("Only payments to this token: 0x…")),
  user: Input.addressFlag("user").pipe(Flag.optional, Flag.withDescription("Only payments for this person: 0x…")),
  key: Flag.String("key").pipe(
    Flag.optional,
    Flag.withDescription("Only payments for orders of this key: its name or its id")
  ),
  why: Input.why,
  json: Input.json
}

interface Target {
  readonly token: Option.Option<string>
  readonly user: Option.Option<string>
  readonly key: Option.Option<string>
}

const oneTarget = ({ token, user, key }: Target) =>
  [token, user, key].filter(Option.isSome).length > 1
    ? badUsage("Give --token, --user or --key, and only one of them.")
    : Effect.void

const setCommand = Command.make(
  "set",
  {
    perDay: Input.amountFlag("per-day").pipe(Flag.withDescription("The most USDC in any 24 hours, like 5000 or 2.5")),
    ...target
  },
  reporting(Limits, limitsWords, ({ setLimit }, { perDay, token, user, key, why }) =>
    setLimit({ perDay, why, ...Input.given({ token, user, key }) })
  )
).pipe(
  onExecutor,
  Command.provideEffectDiscard((input) => oneTarget(input)),
  Command.withDescription(
    "Signs payments for no more than this in any 24 hours, by all executors together. What exceeds it waits."
  ),
  Command.withExamples([
    { command: 'ai-mint limits set --per-day 5000 --why "launch week"', description: "All payments together" },
    { command: 'ai-mint limits set --per-day 500 --token 0x… --why "a new token"', description: "Those to one token" }
  ])
)

const removeCommand = Command.make(
  "remove",
  target,
  reporting(Limits, limitsWords, ({ removeLimit }, { token, user, key, why }) =>
    removeLimit({ why, ...Input.given({ token, user, key }) })
  )
).pipe(
  onExecutor,
  Command.provideEffectDiscard((input) => oneTarget(input)),
  Command.withDescription("Ends the limit with the same --token, --user, --key or none.")
)

export const limitsCommand = Command.make(
  "limits",
  { json: Input.json },
  reporting(Limits, limitsWords, ({ limits }) => limits)
).pipe(
  onExecutor,
  Command.withDescription("The limits that are set, and what is used and left of each."),
  Command.withSubcommands([setCommand, removeCommand])
)
