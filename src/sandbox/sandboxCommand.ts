import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect } from "effect"
// One module each: all of `effect/cli` would double the time until the first line.
import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import { version } from "../ops/process.ts"
import { DATA_DIR } from "./sandboxFile.ts"

export const dataDirFlag = Flag.String("data-dir").pipe(
  Flag.withDefault(DATA_DIR),
  Flag.withDescription(`Where the sandbox keeps its data. Default: ${DATA_DIR}`)
)

/** The words alone are printed, and the command ends with code 1. */
export const userError = ({ message }: { readonly message: string }) => new CliError.UserError({ cause: message })

/** The whole of a process that is one command. */
export const runCommand = <Name extends string, Input, Context, E>(
  command: Command.Command<Name, Input, Context, E, NodeServices.NodeServices>
): void =>
  command.pipe(
    Command.run({ version }),
    Effect.provide([NodeServices.layer, CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version] })]),
    NodeRuntime.runMain
  )
