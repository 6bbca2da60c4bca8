import { Effect, Option } from "effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { CHANGE, LOOK } from "../client/ask.ts"
import * as Input from "../flags.ts"
import * as Form from "../forms.ts"
import { badUsage } from "../io.ts"
import type { Kit } from "../Kit.ts"

const input = {
  token: Input.addressFlag("token").pipe(Flag.optional, Flag.withDescription("Only orders of this token: 0x…")),
  wallet: Flag.String("wallet").pipe(
    Flag.optional,
    Flag.withDescription("Only the orders of this agent wallet (its id, its user's address, or its own)")
  ),
  why: Input.why,
  json: Input.json
}

const change = <E>({ ways, tell }: Kit<E>, command: "pause" | "resume") =>
  Command.make(
    command,
    input,
    Effect.fnUntraced(function* ({ token, wallet, why, json }) {
      if (Option.isSome(token) && Option.isSome(wallet)) return yield* badUsage("Give --token or --wallet, not both.")
      const target = {
        ...(Option.isSome(token) ? { token: token.value } : {}),
        ...(Option.isSome(wallet) ? { wallet: wallet.value } : {})
      }
      yield* tell(
        ways.ask(({ control }) => control[command]({ payload: { why, ...target } }), CHANGE),
        Form.paused,
        json
      )
    })
  )

export const pauseCommand = <E>(kit: Kit<E>) =>
  change(kit, "pause").pipe(
    Command.withDescription(
      "Signs no new payment until it is resumed, over restarts too. Money is still seen, and what is on its way is followed."
    ),
    Command.withExamples([
      { command: 'ai-mint pause --why "the mint server is being repaired"', description: "Everything" },
      { command: 'ai-mint pause --token 0x… --why "sold out"', description: "One token" }
    ])
  )

export const resumeCommand = <E>(kit: Kit<E>) =>
  change(kit, "resume").pipe(Command.withDescription("Ends the pause with the same --token, --wallet or neither."))

export const pausesCommand = <E>({ ways, tell }: Kit<E>) =>
  Command.make("pauses", { json: Input.json }, ({ json }) =>
    Effect.asVoid(
      tell(
        ways.ask(({ control }) => control.pauses(), LOOK),
        Form.paused,
        json
      )
    )
  ).pipe(Command.withDescription("What is paused now, and why."))
