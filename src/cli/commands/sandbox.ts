import { Effect, Option } from "effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Input from "../flags.ts"
import type { Kit } from "../Kit.ts"
import { paymentWords } from "../words/sandbox.ts"

const amountFlag = Input.amountFlag("amount").pipe(
  Flag.optional,
  Flag.withDescription("How many USDC like 2.5. Default: all that the order costs")
)

const payCommand = <E>({ ways, tell }: Kit<E>) =>
  Command.make("pay", { task: Input.task, amount: amountFlag, json: Input.json }, ({ task, amount, json }) => {
    const form = { words: paymentWords, json: (report: unknown) => report }
    const usdc = Option.getOrUndefined(Option.map(amount, Input.parseAmount))
    return Effect.asVoid(tell(ways.payOrder(task, usdc), form, json))
  }).pipe(
    Command.withDescription("Pays for an order, as its person would, with money of the sandbox."),
    Command.withExamples([{ command: "ai-mint sandbox pay abc12345 --amount 2.5", description: "A part of it" }])
  )

const resetCommand = <E>({ ways, tell }: Kit<E>) =>
  Command.make("reset", { json: Input.json }, ({ json }) => {
    const report = Effect.map(ways.resetSandbox, (said) => ({ command: "reset" as const, said }))
    return Effect.asVoid(tell(report, { words: ({ said }) => [said], json: (it) => it }, json))
  }).pipe(Command.withDescription("Deletes the data of the sandbox, which must not run: its chain and its database."))

export const sandboxCommand = <E>(kit: Kit<E>) =>
  Command.make("sandbox").pipe(
    Command.withDescription("The local network: plays the person who pays, and begins anew."),
    Command.withSubcommands([payCommand(kit), resetCommand(kit)])
  )
