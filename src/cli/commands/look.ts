import { Effect } from "effect"
import * as Command from "effect/cli/Command"
import { LOOK } from "../client/ask.ts"
import * as Input from "../flags.ts"
import * as Form from "../forms.ts"
import type { Kit } from "../Kit.ts"

export const statusCommand = <E>({ ways, tell }: Kit<E>) =>
  Command.make("status", { json: Input.json }, ({ json }) =>
    Effect.asVoid(
      tell(
        ways.ask(({ control }) => control.overview(), LOOK),
        Form.status,
        json
      )
    )
  ).pipe(Command.withDescription("What runs now: is all well, orders and money by state, and what needs a look."))

export const showTaskCommand = <E>({ ways, tell }: Kit<E>) =>
  Command.make("show", { task: Input.task, json: Input.json }, ({ task, json }) =>
    Effect.asVoid(
      tell(
        ways.ask(({ tasks }) => tasks.show({ params: { task } }), LOOK),
        Form.task,
        json
      )
    )
  ).pipe(Command.withDescription("The row of an order."))

export const explainCommand = <E>({ ways, tell }: Kit<E>) =>
  Command.make("explain", { task: Input.task, json: Input.json }, ({ task, json }) =>
    Effect.asVoid(
      tell(
        ways.ask(({ tasks }) => tasks.explain({ params: { task } }), LOOK),
        Form.explanation,
        json
      )
    )
  ).pipe(
    Command.withDescription(
      '"I paid, where are my tokens?": all that happened to an order, its money, and what happens next.'
    ),
    Command.withExamples([{ command: "ai-mint explain abc12345" }])
  )

const showWalletCommand = <E>({ ways, tell }: Kit<E>) =>
  Command.make("show", { wallet: Input.wallet, json: Input.json }, ({ wallet, json }) =>
    Effect.asVoid(
      tell(
        ways.ask(({ wallets }) => wallets.show({ params: { wallet } }), LOOK),
        Form.wallet,
        json
      )
    )
  ).pipe(
    Command.withDescription("What the chain shows of an agent wallet, beside what the ledger says."),
    Command.withExamples([{ command: "ai-mint wallets show 0x…", description: "By its own or its user's address" }])
  )

export const walletsCommand = <E>(kit: Kit<E>) =>
  Command.make("wallets").pipe(
    Command.withDescription("Agent wallets: one for each user, where they pay to."),
    Command.withSubcommands([showWalletCommand(kit)])
  )
