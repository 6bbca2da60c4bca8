import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Fiber, Schedule, Schema, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync, rmSync } from "node:fs"

/** A guarded process did not start, or ended by itself. */
export class ProcessDied extends Schema.TaggedError<ProcessDied>()("ProcessDied", { message: Schema.String }) {}

export interface GuardedCommand {
  /** For people: `anvil`. */
  readonly name: string
  readonly program: string
  readonly args: ReadonlyArray<string>
  /** There for as long as the program runs, see `untilGone`. */
  readonly pidFile: string | undefined
  /** Removed with everything in it once the program has ended. */
  readonly scratchFolder: string
}

/** How long a program may take to end after SIGTERM, in tenths of a second. anvil writes 22,000 blocks in 0.2 s. */
const GRACE_TENTHS = 100

/** Standard error kept for the message of a death, in characters. */
const SAID_MAX = 2_000

/**
 * Stands between us and the program. Its standard input is a pipe from us that carries nothing: the pipe ends when we
 * are killed, with SIGKILL too, and then the program is stopped, gently first. Effect's `ChildProcess` alone would leave
 * the program running.
 *
 * The guard runs in a session of its own, so that neither it nor the program gets the terminal's Ctrl-C: while we
 * drain, a batch in flight still needs the program. When we stop both, it ignores the signal and cleans up.
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
rm -rf "$scratch_folder"
if [ -n "$pid_file" ]; then rm -f "$pid_file"; fi
exit "$code"
`

/** What programs need to run at all. Ours has keys and passwords in its own, and every child would hold them too. */
const PASSED_ON = ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ", "USER"]

const plainEnvironment = (): Record<string, string | undefined> =>
  Object.fromEntries(PASSED_ON.flatMap((key) => (process.env[key] === undefined ? [] : [[key, process.env[key]]])))

/**
 * Runs a program that ends with the scope, and with this process however that ends. Needs a POSIX shell. Gives what
 * fails when the program ends by itself, and else never ends.
 */
export const run = Effect.fn("GuardedProcess.run")(function* (command: GuardedCommand) {
  const { name, program, args, pidFile = "", scratchFolder } = command
  // Registered first, so that it runs last: a guard that was killed could not do it.
  yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(scratchFolder, { recursive: true, force: true })))
  const guard = yield* ChildProcess.make("sh", ["-c", GUARD, "guard", pidFile, scratchFolder, program, ...args], {
    detached: true,
    stdin: "pipe",
    stdout: "ignore",
    env: plainEnvironment(),
    extendEnv: false,
    forceKillAfter: GRACE_TENTHS * 100 + 2_000
  }).pipe(Effect.provide(NodeServices.layer), Effect.orDie)
  const said = yield* guard.stderr.pipe(
    Stream.decodeText,
    Stream.runFold(
      () => "",
      (text, piece) => (text + piece).slice(-SAID_MAX)
    ),
    Effect.forkScoped
  )
  return Effect.flatMap(guard.exitCode, (code) =>
    Effect.map(Fiber.join(said), (text) => [code, text.trim()] as const)
  ).pipe(
    // By a signal: then the program still holds standard error open.
    Effect.orElseSucceed(() => [137, "its guard was killed"] as const),
    Effect.flatMap(([code, text]) => {
      const message = `${name} died (exit code ${code})${text === "" ? "" : `: ${text}`}`
      return Effect.fail(new ProcessDied({ message }))
    })
  )
})

/** How long a program whose parent was killed may still take to end: its guard kills it after 10 s. */
const LAST_RUN_TIMEOUT = "15 seconds"

/**
 * Waits for a program that was started with this `pidFile`, by a process that was killed since: its guard is just
 * ending it. Succeeds at once where there is none, and fails where it does not end.
 */
export const untilGone = (pidFile: string) =>
  Effect.sync(() => existsSync(pidFile) && isGuarded(pidFile)).pipe(
    Effect.repeat({ schedule: Schedule.spaced("20 millis"), while: (isRunning) => isRunning }),
    Effect.andThen(Effect.sync(() => rmSync(pidFile, { force: true }))),
    Effect.timeout(LAST_RUN_TIMEOUT)
  )

/** A pid alone proves nothing, as numbers are used again; the guard has the name of its file among its arguments. */
const isGuarded = (pidFile: string): boolean => {
  try {
    const pid = readFileSync(pidFile, "utf8").trim()
    const commandLine =
      process.platform === "linux"
        ? readFileSync(`/proc/${pid}/cmdline`, "utf8")
        : execFileSync("ps", ["-ww", "-o", "args=", "-p", pid], { encoding: "utf8", stdio: "pipe" })
    return commandLine.includes(pidFile)
  } catch {
    // The file or the process went away meanwhile.
    return false
  }
}
