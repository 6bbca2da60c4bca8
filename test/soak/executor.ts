import { Deferred, Effect } from "effect"
import { spawn } from "node:child_process"
import { openSync } from "node:fs"
import { BUILT_EXECUTOR, closedPort, until } from "../e2e/support.ts"

/** The executor, as a process manager keeps it alive. */
export interface KeptExecutor {
  /** Where its HTTP API is. */
  readonly url: string
  /** Until its HTTP API answers for the first time. */
  readonly ready: Effect.Effect<void>
  /** Of the process that runs now; undefined between two of them. */
  readonly pid: () => number | undefined
  /** Ends its process as the kernel does when memory is short. The next one starts at once. */
  readonly killNow: Effect.Effect<void>
  /** Asks it to stop, and starts no other. */
  readonly stop: Effect.Effect<void>
  /** How often it was killed, and the ends that no one asked for, in words. */
  readonly kills: () => number
  readonly unaskedEnds: ReadonlyArray<string>
}

/** As a process manager waits before it starts one that ended by itself. */
const RESTART_DELAY = "1 second"

/** One question whether it is ready. */
const READY_TIMEOUT_MS = 2_000

/** Longer than `DRAIN_TIMEOUT`, which is how long it may take to stop. */
const STOP_PATIENCE = "60 seconds"

/**
 * Runs `dist/main.js`, which `npm run build` has made, and again whenever it ends, until it is stopped or the scope
 * closes. What it says is added to `logFile`.
 */
export const keepExecutor = Effect.fnUntraced(function* (
  env: Readonly<Record<string, string>>,
  { cwd, logFile }: { readonly cwd: string; readonly logFile: string }
) {
  const port = yield* closedPort
  const log = openSync(logFile, "a")
  const state = { pid: undefined as number | undefined, kills: 0, isStopping: false }
  const unaskedEnds: Array<string> = []
  const stopped = yield* Deferred.make<void>()

  const launch = () =>
    spawn(process.execPath, BUILT_EXECUTOR, {
      cwd,
      env: { PATH: process.env["PATH"], ...env, OPS_PORT: String(port) },
      stdio: ["ignore", log, log],
      // A Ctrl-C in the terminal is for the soak, which stops the executor itself.
      detached: true
    })

  /** One process, from its start to its end. */
  const live = Effect.callback<void>((resume) => {
    const child = launch()
    state.pid = child.pid
    const kills = state.kills
    child.once("exit", (code, signal) => {
      state.pid = undefined
      const isAsked = state.isStopping ? code === 0 : signal === "SIGKILL" && state.kills > kills
      if (!isAsked) unaskedEnds.push(`the executor ended with ${signal ?? `code ${code}`}`)
      resume(Effect.void)
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })

  yield* live.pipe(
    Effect.andThen(
      Effect.suspend(() => (state.isStopping ? Deferred.succeed(stopped, undefined) : Effect.sleep(RESTART_DELAY)))
    ),
    Effect.repeat({ while: () => !state.isStopping }),
    Effect.forkScoped
  )

  const killNow = Effect.sync(() => {
    if (state.pid === undefined) return
    state.kills++
    process.kill(state.pid, "SIGKILL")
  })
  const stop = Effect.suspend(() => {
    state.isStopping = true
    if (state.pid === undefined) return Effect.void
    process.kill(state.pid, "SIGTERM")
    return Deferred.await(stopped).pipe(
      Effect.timeoutOrElse({
        duration: STOP_PATIENCE,
        orElse: () => Effect.sync(() => unaskedEnds.push(`the executor did not stop within ${STOP_PATIENCE}`))
      }),
      Effect.asVoid
    )
  })
  const url = `http://127.0.0.1:${port}`
  const ready = until(
    "the executor answers",
    Effect.promise(() =>
      fetch(`${url}/healthz`, { signal: AbortSignal.timeout(READY_TIMEOUT_MS) }).then(
        ({ ok }) => ok,
        () => false
      )
    )
  )
  const self = { url, ready, pid: () => state.pid, killNow, stop, kills: () => state.kills, unaskedEnds }
  return self satisfies KeptExecutor as KeptExecutor
})
