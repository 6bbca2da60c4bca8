import { Console, Effect, Schema } from "effect"
import * as Command from "effect/cli/Command"
import { existsSync, readdirSync, realpathSync, rmdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { dataDirFlag, runCommand, userError } from "./askSandbox.ts"
import { untilGone } from "./GuardedProcess.ts"
import { isOurs, LOCK, lock, MARKER } from "./sandboxFile.ts"

/** Nothing was deleted, or not all. The message says why, and what to do. */
export class NotCleared extends Schema.TaggedError<NotCleared>()("NotCleared", { message: Schema.String }) {}

/** Deletes the data of the sandbox, which must not run. Gives the report; `say` prints why it takes a while. */
export const clear = Effect.fn("sandbox.clear")(function* (dataDir: string, say: (text: string) => void) {
  if (!existsSync(dataDir)) return `Nothing to delete: there is no ${dataDir}.`
  if (!isOurs(dataDir)) {
    return yield* refusal(
      `${dataDir} has no ${MARKER}, which the sandbox puts into a directory of its own. ` +
        "Delete it yourself, if nothing in it is of value."
    )
  }
  yield* empty(dataDir, say)
  return (
    `🧹 Deleted ${dataDir}: the sandbox's chain, with its tokens and balances, and the embedded database.\n` +
    "The next npm start begins anew. A database of yours behind DATABASE_URL was not touched."
  )
})

/** Under the lock, so that no sandbox starts on what is being deleted. The marker goes late: a reset can be repeated. */
const empty = Effect.fnUntraced(function* (dataDir: string, say: (text: string) => void) {
  yield* lock(dataDir).pipe(Effect.mapError(({ message }) => refusal(message)))
  yield* untilChainIsWritten(dataDir, say)
  yield* Effect.try({
    try: () => {
      const names = readdirSync(dataDir).filter((name) => name !== LOCK && name !== MARKER)
      for (const name of [...names, MARKER, LOCK]) rmSync(join(dataDir, name), { recursive: true })
    },
    catch: (error) => {
      const why = error instanceof Error ? error.message : String(error)
      return new NotCleared({ message: `Not all was deleted: ${why}` })
    }
  })
  // What is left where this fails is an empty directory: a mount point, or one that the next sandbox is already on.
  yield* Effect.ignore(Effect.try(() => rmdirSync(dataDir)))
}, Effect.scoped)

/** A sandbox that was killed a moment ago has a chain that is just being written, and would come back into the directory. */
const untilChainIsWritten = Effect.fnUntraced(function* (dataDir: string, say: (text: string) => void) {
  const pidFiles = readdirSync(dataDir).filter((name) => name.endsWith(".pid"))
  if (pidFiles.length === 0) return
  say("The last sandbox was killed. Waiting for what it left running...")
  yield* Effect.forEach(pidFiles, (name) => untilGone(join(dataDir, name)), { discard: true }).pipe(
    Effect.mapError(() => refusal(`It does not end: see ${pidFiles.join(" and ")} in ${dataDir} for its pid.`))
  )
})

const refusal = (why: string): NotCleared => new NotCleared({ message: `Nothing was deleted. ${why}` })

const command = Command.make("sandbox:reset", { dataDir: dataDirFlag }, ({ dataDir }) =>
  clear(dataDir, (text) => console.log(text)).pipe(
    Effect.flatMap((said) => Console.log(said)),
    Effect.catchTag("NotCleared", (error) => Effect.fail(userError(error)))
  )
).pipe(
  Command.withDescription("Deletes the data of the sandbox, which must not run: its chain and its embedded database.")
)

// `ai-mint sandbox reset` imports what is above.
if (realpathSync(process.argv[1] ?? "") === import.meta.filename) runCommand(command)
