import { Effect, Schema, type Scope } from "effect"
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Address } from "../domain/Address.ts"

/** Where the sandbox keeps its data by default: below the working directory, and not under version control. */
export const DATA_DIR = ".data"

/** What another process has to know about the sandbox that runs: `sandbox.json` in its data directory. */
export const SandboxInfo = Schema.Struct({
  pid: Schema.Int.check(Schema.isGreaterThan(0)),
  rpcUrl: Schema.String,
  /** The way on which the executor asks the chain, where faults can be put in. */
  executorRpcUrl: Schema.optionalKey(Schema.String),
  /** The mint server, with the control endpoints under `/sandbox`. Without a trailing slash. */
  serverUrl: Schema.String,
  usdc: Address,
  /** The sandbox's mint token. */
  token: Address,
  /** A URL holds a password: it is stored in a file that only its owner can read, and shown nowhere. */
  databaseUrl: Schema.Union([Schema.Literal("embedded"), Schema.RedactedFromValue(Schema.String)])
})
export type SandboxInfo = typeof SandboxInfo.Type

/**
 * The data directory cannot be used. `Locked`: a sandbox is on it, `pid` says which where that is known. `NotRunning`:
 * no sandbox is on it. `Unusable`: a file cannot be read or written. The message says what to do.
 */
export class DataDirError extends Schema.TaggedError<DataDirError>()("DataDirError", {
  reason: Schema.Literals(["Locked", "NotRunning", "Unusable"]),
  message: Schema.String,
  pid: Schema.optionalKey(Schema.Int)
}) {}

const INFO = "sandbox.json"
export const LOCK = "lock.sqlite"

/** Marks a directory that the sandbox made or found empty: all that is in it is the sandbox's, and can be deleted. */
export const MARKER = "THIS-IS-SANDBOX-DATA.txt"

const MARKER_TEXT =
  "The local sandbox of AI Mint Executor keeps its data here. `npm run sandbox:reset` deletes all of it.\n"

/** For its owner only. */
const PRIVATE = 0o600

/** Whether all that is in the directory is a sandbox's. */
export const isOurs = (dataDir: string): boolean => existsSync(join(dataDir, MARKER))

/** Whether there is a process with this id, of any user. One that is dead and not yet reaped (Z, see proc(5)) is none. */
export const isRunning = (pid: number): boolean => {
  try {
    if (process.platform === "linux") return !/\) Z [^)]*$/.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
    return pid > 0 && process.kill(pid, 0)
  } catch (error) {
    return systemErrorCode(error) === "EPERM"
  }
}

/** Tells others about the sandbox until the scope closes. Needs the lock. */
export const publish = (dataDir: string, info: SandboxInfo): Effect.Effect<void, DataDirError, Scope.Scope> => {
  const path = join(dataDir, INFO)
  const write = () => {
    // Written beside and moved into place, so that no reader ever gets one half of it.
    writeFileSync(`${path}.new`, `${JSON.stringify(encodeInfo(info), undefined, 2)}\n`, { mode: PRIVATE })
    renameSync(`${path}.new`, path)
  }
  return Effect.acquireRelease(attempt(dataDir, write), () => Effect.sync(() => rmSync(path, { force: true })))
}

const InfoFile = Schema.fromJsonString(Schema.toCodecJson(SandboxInfo))
const encodeInfo = Schema.encodeSync(Schema.toCodecJson(SandboxInfo))

/** The sandbox that runs on the directory. */
export const findSandbox = Effect.fn("sandboxFile.findSandbox")(function* (dataDir: string) {
  const path = join(dataDir, INFO)
  if (!existsSync(path)) return yield* notRunning(`No sandbox runs on ${dataDir}.`)
  const info = yield* Schema.decodeEffect(InfoFile)(yield* attempt(dataDir, () => readFileSync(path, "utf8"))).pipe(
    Effect.catchTag("SchemaError", () => notRunning(`${path} is not what a sandbox of this version writes.`))
  )
  return isRunning(info.pid)
    ? info
    : yield* notRunning(`The sandbox on ${dataDir} (process ${info.pid}) is gone without a farewell.`)
})

const notRunning = (fact: string): DataDirError =>
  new DataDirError({ reason: "NotRunning", message: `${fact} Start one with: npm start` })

/**
 * Keeps other sandboxes off the directory until the scope closes: two on one database and one chain would corrupt
 * both. Makes the directory where there is none. The lock is SQLite's on a file, as Node has none of its own: it ends
 * with its process, however that ends, and says nothing across machines that share a directory.
 */
export const lock = (dataDir: string): Effect.Effect<void, DataDirError, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      attempt(dataDir, () => acquire(dataDir)),
      (file) => Effect.sync(() => file.close())
    )
  )

/** For another that is just noting its pid, in milliseconds. */
const PATIENCE_MS = 500

const acquire = (dataDir: string): DatabaseSync => {
  mkdirSync(dataDir, { recursive: true })
  if (readdirSync(dataDir).length === 0) writeFileSync(join(dataDir, MARKER), MARKER_TEXT)
  const path = join(dataDir, LOCK)
  const file = new DatabaseSync(path, { timeout: PATIENCE_MS })
  try {
    // Others may still read what was committed before: who holds it.
    file.exec(`BEGIN IMMEDIATE; PRAGMA user_version = ${process.pid}; COMMIT; BEGIN IMMEDIATE`)
    // A reset that we waited for has deleted it.
    if (existsSync(path)) return file
  } catch (error) {
    if (!isBusy(error)) throw error
  }
  const { user_version: pid } = file.prepare("PRAGMA user_version").get() ?? {}
  file.close()
  throw locked(dataDir, Number(pid))
}

/** `SQLITE_BUSY` of sqlite.org/rescode.html: another process has the lock. */
const isBusy = (error: unknown): boolean => error instanceof Error && "errcode" in error && error.errcode === 5

const locked = (dataDir: string, pid: number): DataDirError => {
  const message = `A sandbox (process ${pid}) is on ${dataDir}. Stop it (Ctrl+C where it runs, or: kill ${pid}), or use another directory.`
  return new DataDirError({ reason: "Locked", message, pid })
}

const systemErrorCode = (error: unknown): unknown =>
  error instanceof Error && "code" in error ? error.code : undefined

const attempt = <A>(dataDir: string, work: () => A): Effect.Effect<A, DataDirError> =>
  Effect.try({
    try: work,
    catch: (error) => {
      if (error instanceof DataDirError) return error
      const why = error instanceof Error ? error.message : String(error)
      return new DataDirError({
        reason: "Unusable",
        message: `The data directory ${dataDir} cannot be used: ${why}`
      })
    }
  })
