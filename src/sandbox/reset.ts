import { Console, Effect } from "effect"
import * as Command from "effect/cli/Command"
import { clear } from "./clear.ts"
import { dataDirFlag, runCommand, userError } from "./sandboxCommand.ts"

const command = Command.make("sandbox:reset", { dataDir: dataDirFlag }, ({ dataDir }) =>
  clear(dataDir, (text) => console.log(text)).pipe(
    Effect.flatMap((said) => Console.log(said)),
    Effect.catchTag("NotCleared", (error) => Effect.fail(userError(error)))
  )
).pipe(
  Command.withDescription("Deletes the data of the sandbox, which must not run: its chain and its embedded database.")
)

runCommand(command)
