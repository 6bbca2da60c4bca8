import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect } from "effect"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import { version } from "../ops/version.ts"
import { untilGone } from "./GuardedProcess.ts"
import { DATA_DIR, isOurs, LOCK, lock, MARKER } from "./sandboxFile.ts"

const dataDirFlag = Flag.String("data-dir").pipe(
  Flag.withDefault(DATA_DIR),
  Flag.withDescription(`Where the sandbox keeps its data. Default: ${DATA_DIR}`)
)

const command = Command.make(
  "sandbox:reset",
  { dataDir: dataDirFlag },
  Effect.fnUntraced(function* ({ dataDir }) {
    if (!existsSync(dataDir)) return yield* Console.log(`Nothing to delete: there is no ${dataDir}.`)
    if (!isOurs(dataDir)) {
      return yield* refusal(
        `${dataDir} has no ${MARKER}, which the sandbox puts into a directory of its own. ` +
          "Delete it yourself, if nothing in it is of value."
      )
    }
    yield* empty(dataDir)
    yield* Effect.sync(() => removeFolder(dataDir))
    yield* Console.log(
      `🧹 Deleted ${dataDir}: the sandbox's chain, with its tokens and balances, and the embedded database.\n` +
        "The next npm start begins anew. A database of yours behind DATABASE_URL was not touched."
    )
  })
).pipe(
  Command.withDescription("Deletes the data of the sandbox, which must not run: its chain and its embedded database.")
)

/** Under the lock, so that no sandbox starts on what is being deleted. The marker goes last: a reset can be repeated. */
const empty = Effect.fnUntraced(function* (dataDir: string) {
  yield* lock(dataDir).pipe(Effect.mapError(({ message }) => refusal(message)))
  yield* untilNobodyWrites(dataDir)
  yield* Effect.try({
    try: () => {
      const names = readdirSync(dataDir).filter((name) => name !== LOCK && name !== MARKER)
      for (const name of [...names, MARKER]) rmSync(join(dataDir, name), { recursive: true })
    },
    catch: (error) => new CliError.UserError({ cause: error, userMessage: `Not all was deleted: ${wordsOf(error)}` })
  })
}, Effect.scoped)

/** How long the chain of a sandbox that was killed may take to write its state. It is killed itself after 10 s. */
const LAST_RUN_TIMEOUT = "15 seconds"

/** A sandbox that was killed a moment ago has a chain that is just being written, and would come back into the directory. */
const untilNobodyWrites = Effect.fnUntraced(function* (dataDir: string) {
  const pidFiles = readdirSync(dataDir).filter((name) => name.endsWith(".pid"))
  if (pidFiles.length === 0) return
  yield* Console.log("The last sandbox was killed. Waiting for what it left running...")
  yield* Effect.forEach(pidFiles, (name) => untilGone(join(dataDir, name)), { discard: true }).pipe(
    Effect.timeoutOrElse({
      duration: LAST_RUN_TIMEOUT,
      orElse: () => Effect.fail(refusal(`It does not end: see ${pidFiles.join(" and ")} in ${dataDir} for its pid.`))
    })
  )
})

/** What is left where this fails is an empty directory: a mount point, or one that the next sandbox is already on. */
const removeFolder = (dataDir: string): void => {
  try {
    rmdirSync(dataDir)
  } catch {
    // As good as gone.
  }
}

const refusal = (why: string): CliError.UserError => new CliError.UserError({ cause: `Nothing was deleted. ${why}` })

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

command.pipe(
  Command.run({ version }),
  Effect.provide([NodeServices.layer, CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version] })]),
  NodeRuntime.runMain
)
