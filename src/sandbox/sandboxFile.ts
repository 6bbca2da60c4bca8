import { execFileSync } from "node:child_process"
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync
} from "node:fs"
import { join, resolve } from "node:path"
import { Effect, Schema, type Scope } from "effect"
import { Address } from "../domain/Address.ts"

/** Where the sandbox keeps its data by default: below the working directory, and not under version control. */
export const DATA_DIR = ".data"

/** What another process has to know about the sandbox that runs: `sandbox.json` in its data directory. */
export const SandboxInfo = Schema.Struct({
  pid: Schema.Int.check(Schema.isGreaterThan(0)),
  startedAt: Schema.Date,
  rpcUrl: Schema.String,
  /** The way on which the executor asks the chain, where faults can be put in. */
  executorRpcUrl: Schema.optionalKey(Schema.String),
  /** The mint server, with the control endpoints under `/sandbox`. Without a trailing slash. */
  serverUrl: Schema.String,
  usdc: Address,
  /** The sandbox's mint token. */
  token: Address,
  /** A URL holds a password: it is stored in a file that only its owner can read, and shown nowhere. */
  databaseUrl: Schema.Union([Schema.Literal("embedded"), Schema.RedactedFromValue(Schema.String)]),
  /** `PAYMENT_TIMEOUT`, milliseconds. */
  paymentTimeoutMs: Schema.Int
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
export const LOCK = "sandbox.lock"

/** Marks a directory that the sandbox made or found empty: all that is in it is the sandbox's, and can be deleted. */
export const MARKER = "THIS-IS-SANDBOX-DATA.txt"

const MARKER_TEXT =
  "The local sandbox of AI Mint Executor keeps its data here. `npm run sandbox:reset` deletes all of it.\n"

/** For its owner only. */
const PRIVATE = 0o600

/** Whether there is a process with this id, whosever it is. */
export const isRunning = (pid: number): boolean => startOf(pid) !== undefined

/**
 * When a process started, in the system's own form; undefined where there is none. Pids are used again, in containers
 * at every start: only with its start does one tell a process from all others.
 */
const startOf = (pid: number): string | undefined => {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined
  try {
    if (process.platform !== "linux") return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], PS).trim()
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    // proc(5): behind the name in parentheses come the state (Z: dead, and not reaped) and, as the 20th, the start.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return fields[0] === "Z" ? undefined : fields[19]
  } catch {
    // There is no such process.
    return undefined
  }
}

const PS = { encoding: "utf8", stdio: "pipe" } as const

/** Whether all that is in the directory may be deleted. False where there is no such directory. */
export const isOurs = (dataDir: string): boolean => existsSync(join(dataDir, MARKER))

/** Tells other processes about this sandbox, until the scope closes. For the holder of the lock. */
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
  const content = yield* attempt(dataDir, () => contentOf(join(dataDir, INFO)))
  if (content === undefined) return yield* notRunning(`No sandbox runs on ${dataDir}.`)
  const info = yield* Schema.decodeEffect(InfoFile)(content).pipe(
    Effect.mapError(() => notRunning(`${join(dataDir, INFO)} is not what a sandbox of this version writes.`))
  )
  return isRunning(info.pid)
    ? info
    : yield* notRunning(`The sandbox on ${dataDir} (process ${info.pid}) is gone without a farewell.`)
})

const notRunning = (fact: string): DataDirError =>
  new DataDirError({ reason: "NotRunning", message: `${fact} Start one with: npm start` })

/**
 * Keeps other sandboxes off the directory until the scope closes: two on one database and one chain would corrupt
 * both. Makes the directory where there is none. The lock of a process that died is taken over: Node has no lock of the
 * system's that would end with its process. Lock files say nothing across machines or containers that share a directory.
 */
export const lock = (dataDir: string): Effect.Effect<void, DataDirError, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      attempt(dataDir, () => acquire(dataDir)),
      (path) => Effect.sync(() => release(path))
    )
  )

const acquire = (dataDir: string): string => {
  mkdirSync(dataDir, { recursive: true })
  if (readdirSync(dataDir).length === 0) writeFileSync(join(dataDir, MARKER), MARKER_TEXT)
  const path = resolve(dataDir, LOCK)
  if (createOnce(path, ownMark())) return path
  const mark = contentOf(path)
  if (mark === undefined || isAlive(mark)) throw locked(dataDir, mark)
  clearDead(dataDir, mark)
  if (createOnce(path, ownMark())) return path
  throw locked(dataDir, contentOf(path))
}

/** What a lock holds: who took it. */
const markOf = (pid: number): string => `${pid} ${startOf(pid)}`

const ownMark = (): string => markOf(process.pid)

/** Undefined where the lock is just being written. */
const pidOf = (mark: string | undefined): number | undefined => {
  const pid = Number.parseInt(mark ?? "", 10)
  return Number.isNaN(pid) ? undefined : pid
}

/** A lock that cannot be read counts as held: to stop without need is better than two on one directory. */
const isAlive = (mark: string): boolean => {
  const pid = pidOf(mark)
  return pid === undefined || mark === markOf(pid)
}

/** Of two processes that find the same dead lock, the guard lets one remove it, and never the lock that came after. */
const clearDead = (dataDir: string, dead: string): void => {
  const path = resolve(dataDir, LOCK)
  const guard = `${path}.takeover`
  if (!createOnce(guard, "")) throw locked(dataDir, undefined, guard)
  try {
    if (contentOf(path) === dead) unlinkSync(path)
  } finally {
    unlinkSync(guard)
  }
}

const release = (path: string): void => {
  if (contentOf(path) === ownMark()) rmSync(path, { force: true })
}

/** False where the file exists (O_EXCL: of several processes, one creates it). */
const createOnce = (path: string, content: string): boolean => {
  try {
    writeFileSync(path, content, { flag: "wx", mode: PRIVATE })
    return true
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false
    throw error
  }
}

const locked = (dataDir: string, mark: string | undefined, path = join(dataDir, LOCK)): DataDirError => {
  const pid = pidOf(mark)
  const message =
    pid === undefined
      ? `Another sandbox is starting on ${dataDir}, or one crashed while it did: if none runs, delete ${path}`
      : `A sandbox (process ${pid}) is on ${dataDir}. Stop it (Ctrl+C where it runs, or: kill ${pid}), or use another directory.`
  return new DataDirError({ reason: "Locked", message, ...(pid === undefined ? {} : { pid }) })
}

const contentOf = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined
    throw error
  }
}

const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined)

const attempt = <A>(dataDir: string, work: () => A): Effect.Effect<A, DataDirError> =>
  Effect.try({
    try: work,
    catch: (error) =>
      error instanceof DataDirError
        ? error
        : new DataDirError({
            reason: "Unusable",
            message: `The data directory ${dataDir} cannot be used: ${error instanceof Error ? error.message : String(error)}`
          })
  })
