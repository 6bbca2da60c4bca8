import { Effect, Schema } from "effect"
import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs"
import { join } from "node:path"
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
  yield* Effect.sync(() => removeFolder(dataDir))
  return (
    `🧹 Deleted ${dataDir}: the sandbox's chain, with its tokens and balances, and the embedded database.\n` +
    "The next npm start begins anew. A database of yours behind DATABASE_URL was not touched."
  )
})

/** Under the lock, so that no sandbox starts on what is being deleted. The marker goes last: a reset can be repeated. */
const empty = Effect.fnUntraced(function* (dataDir: string, say: (text: string) => void) {
  yield* lock(dataDir).pipe(Effect.mapError(({ message }) => refusal(message)))
  yield* untilChainIsWritten(dataDir, say)
  yield* Effect.try({
    try: () => {
      const names = readdirSync(dataDir).filter((name) => name !== LOCK && name !== MARKER)
      for (const name of [...names, MARKER]) rmSync(join(dataDir, name), { recursive: true })
    },
    catch: (error) => new NotCleared({ message: `Not all was deleted: ${messageOf(error)}` })
  })
}, Effect.scoped)

/** How long the chain of a sandbox that was killed may take to write its state. It is killed itself after 10 s. */
const LAST_RUN_TIMEOUT = "15 seconds"

/** A sandbox that was killed a moment ago has a chain that is just being written, and would come back into the directory. */
const untilChainIsWritten = Effect.fnUntraced(function* (dataDir: string, say: (text: string) => void) {
  const pidFiles = readdirSync(dataDir).filter((name) => name.endsWith(".pid"))
  if (pidFiles.length === 0) return
  say("The last sandbox was killed. Waiting for what it left running...")
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
    // An empty directory is as good as none.
  }
}

const refusal = (why: string): NotCleared => new NotCleared({ message: `Nothing was deleted. ${why}` })

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
