import { Deferred, Effect, Schedule, Schema, type Scope } from "effect"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { existsSync, readFileSync, rmSync } from "node:fs"

/** A guarded process ended by itself. */
export class ProcessDied extends Schema.TaggedError<ProcessDied>()("ProcessDied", {
  name: Schema.String,
  /** As a shell gives it: 128 and the signal's number for a signal, 127 for a program that is not there. */
  exitCode: Schema.Number,
  /** The last that it wrote to standard error. */
  said: Schema.String
}) {
  override get message(): string {
    return `${this.name} died (exit code ${this.exitCode})${this.said === "" ? "" : `: ${this.said}`}`
  }
}

export interface GuardedCommand {
  /** For people: `anvil`. */
  readonly name: string
  readonly program: string
  readonly args: ReadonlyArray<string>
  /** There for as long as the program runs, see `untilGone`. */
  readonly pidFile?: string
  /** Removed with everything in it once the program has ended. */
  readonly scratchFolder?: string
}

export interface GuardedProcess {
  /** Never ends while the program runs or is being stopped by us; fails when it ends by itself. */
  readonly died: Effect.Effect<never, ProcessDied>
}

/** How long a program may take to end after SIGTERM, in tenths of a second. anvil writes 22,000 blocks in 0.2 s. */
const GRACE_TENTHS = 100

/** What we wait for the guard at most, in milliseconds: its own grace and a little. */
const STOP_TIMEOUT_MS = GRACE_TENTHS * 100 + 2_000

/** Standard error kept for the message of a death, in characters. */
const SAID_MAX = 2_000

/**
 * Stands between us and the program. Its standard input is a pipe from us that carries nothing: the pipe ends when we
 * close it and also when we are killed with SIGKILL, and then the program is stopped, gently first.
 *
 * The guard runs in a session of its own, so that neither it nor the program gets the terminal's Ctrl-C: while we
 * drain, a batch in flight still needs the program. It ignores signals for the same reason: only the pipe decides.
 */
const GUARD = `
pid_file=$1; scratch_folder=$2; shift 2
exec 3<&0
trap '' HUP INT TERM
if [ -n "$pid_file" ]; then echo "$$" > "$pid_file"; fi
(trap - HUP INT TERM; exec "$@") </dev/null 3<&- & program=$!
(
  read -r _ <&3
  kill -s TERM "$program"
  tenths=0
  while [ "$tenths" -lt ${GRACE_TENTHS} ] && kill -0 "$program"; do sleep 0.1; tenths=$((tenths + 1)); done
  kill -s KILL "$program"
) >/dev/null 2>&1 & watcher=$!
exec 3<&-
wait "$program"; code=$?
kill -s KILL "$watcher" 2>/dev/null
wait "$watcher" 2>/dev/null
if [ -n "$scratch_folder" ]; then rm -rf "$scratch_folder"; fi
if [ -n "$pid_file" ]; then rm -f "$pid_file"; fi
exit "$code"
`

/**
 * Runs a program that ends with the scope, and with this process however that ends. Needs a POSIX shell. Effect's
 * `ChildProcess` serves for the first only: a SIGKILL of this process would leave the program running.
 */
export const run = Effect.fn("GuardedProcess.run")(function* (
  command: GuardedCommand
): Effect.fn.Return<GuardedProcess, never, Scope.Scope> {
  const died = yield* Deferred.make<never, ProcessDied>()
  const { scratchFolder } = command
  // Registered first, so that it runs last: a guard that was killed could not do it.
  if (scratchFolder !== undefined) {
    yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(scratchFolder, { recursive: true, force: true })))
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => start(command, died)),
    stop
  )
  return { died: Deferred.await(died) }
})

/**
 * Waits for a program that was started with this `pidFile`, by a process that was killed since: its guard is just
 * ending it. Succeeds at once where there is none.
 */
export const untilGone = (pidFile: string): Effect.Effect<void> =>
  Effect.sync(() => existsSync(pidFile) && isGuarded(pidFile)).pipe(
    Effect.repeat({ schedule: Schedule.spaced("20 millis"), while: (isRunning) => isRunning }),
    Effect.andThen(Effect.sync(() => rmSync(pidFile, { force: true })))
  )

/** A pid alone proves nothing, as numbers are used again; the guard has the name of its file among its arguments. */
const isGuarded = (pidFile: string): boolean => {
  try {
    return commandLine(Number(readFileSync(pidFile, "utf8"))).includes(pidFile)
  } catch {
    // The file or the process went away meanwhile.
    return false
  }
}

const commandLine = (pid: number): string =>
  process.platform === "linux"
    ? readFileSync(`/proc/${pid}/cmdline`, "utf8")
    : execFileSync("ps", ["-ww", "-o", "args=", "-p", String(pid)], { encoding: "utf8", stdio: "pipe" })

interface Running {
  readonly guard: ChildProcess
  isStopping: boolean
}

/** What programs need to run at all. Ours has keys and passwords in its own, and every child would hold them too. */
const PASSED_ON = ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ", "USER"]

const plainEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(PASSED_ON.flatMap((key) => (process.env[key] === undefined ? [] : [[key, process.env[key]]])))

const start = (command: GuardedCommand, died: Deferred.Deferred<never, ProcessDied>): Running => {
  const { program, args, pidFile = "", scratchFolder = "" } = command
  const guard = spawn("sh", ["-c", GUARD, "guard", pidFile, scratchFolder, program, ...args], {
    detached: true,
    stdio: ["pipe", "ignore", "pipe"],
    env: plainEnvironment()
  })
  const running: Running = { guard, isStopping: false }
  let said = ""
  guard.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-SAID_MAX)
  })
  // Closing the pipe of a guard that is gone already is no fault.
  guard.stdin?.on("error", () => {})
  const end = (exitCode: number, why: string) => {
    if (running.isStopping) return
    Deferred.doneUnsafe(died, new ProcessDied({ name: command.name, exitCode, said: why.trim() }))
  }
  guard.once("error", (error) => end(127, error.message))
  // "close" comes once standard error has been read to its end, which a program without its guard still holds open.
  guard.once("exit", (code) => code ?? end(137, "its guard was killed"))
  guard.once("close", (code) => end(code ?? 137, said))
  return running
}

const stop = (running: Running): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const { guard } = running
    running.isStopping = true
    if (guard.signalCode !== null) killSession(guard)
    if (guard.pid === undefined || guard.exitCode !== null || guard.signalCode !== null) return resume(Effect.void)
    guard.once("exit", () => resume(Effect.void))
    guard.stdin?.end()
  }).pipe(
    Effect.timeoutOrElse({ duration: STOP_TIMEOUT_MS, orElse: () => Effect.sync(() => killSession(running.guard)) })
  )

/** The guard leads its process group, so the negative pid reaches the program too; the group may be empty by now. */
const killSession = (guard: ChildProcess): void => {
  try {
    if (guard.pid !== undefined) process.kill(-guard.pid, "SIGKILL")
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error
  }
}
