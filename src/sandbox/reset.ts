import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect } from "effect"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import { version } from "../ops/process.ts"
import { clear } from "./clear.ts"
import { DATA_DIR } from "./sandboxFile.ts"

const dataDirFlag = Flag.String("data-dir").pipe(
  Flag.withDefault(DATA_DIR),
  Flag.withDescription(`Where the sandbox keeps its data. Default: ${DATA_DIR}`)
)

const command = Command.make("sandbox:reset", { dataDir: dataDirFlag }, ({ dataDir }) =>
  clear(dataDir, (text) => console.log(text)).pipe(
    Effect.flatMap((said) => Console.log(said)),
    Effect.catchTag("NotCleared", ({ message }) => Effect.fail(new CliError.UserError({ cause: message })))
  )
).pipe(
  Command.withDescription("Deletes the data of the sandbox, which must not run: its chain and its embedded database.")
)

command.pipe(
  Command.run({ version }),
  Effect.provide([NodeServices.layer, CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version] })]),
  NodeRuntime.runMain
)
