import { Effect, Schedule, type Scope } from "effect"
import type { SqlClient } from "effect/sql"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type Running, start, temporaryDirectory } from "../e2e/support.ts"
import type { Point } from "./programs/killPoints.ts"

const PROGRAM = fileURLToPath(new URL("programs/killable.ts", import.meta.url))

/** Between two looks at a process and at its orders. */
const POLL = Schedule.spaced("200 millis")

/** How long one process may take to reach a point or the end: an accepted payment is doubted after two minutes. */
const PATIENCE = "220 seconds"

/**
 * What Node compiles of the program, kept for every start: with it a start takes half the time. A process that is
 * killed keeps nothing, so one first runs to its end: it has no settings.
 */
export const compiled = Effect.gen(function* () {
  const directory = yield* temporaryDirectory
  const env = { NODE_COMPILE_CACHE: directory }
  const { ended } = yield* start({ args: [PROGRAM], cwd: directory, env: { ...env, NETWORK: "base" } })
  const { code } = yield* ended
  return code === 78 ? env : yield* Effect.die(new Error(`without settings it ended with code ${code}`))
})

export interface Killing<E> {
  readonly env: Readonly<Record<string, string>>
  /** Each is to be the end of one process. */
  readonly points: ReadonlyArray<Point>
  /** Runs before each start, and says what is to be set besides. */
  readonly arm: (start: number) => Effect.Effect<Readonly<Record<string, string>>>
  /** Whether all orders have ended. */
  readonly isOver: Effect.Effect<boolean, E, SqlClient.SqlClient>
}

export interface Killed {
  /** Where it was killed, in this order. */
  readonly killed: ReadonlyArray<Point>
  /** Where no process came. */
  readonly unreached: ReadonlyArray<Point>
  /** All that was passed, by whichever of the processes. */
  readonly passed: ReadonlySet<Point>
}

/** Runs the executor, and again whenever it has killed itself at one of the points, until all orders have ended. */
export const runKilled = Effect.fnUntraced(function* <E>(killing: Killing<E>) {
  const directory = yield* temporaryDirectory
  const trace = join(directory, "trace")
  const left = new Set(killing.points)
  const killed: Array<Point> = []
  for (let count = 0; ; count++) {
    const set = yield* killing.arm(count)
    const env = { ...killing.env, ...set, KILL_AT: [...left].join(","), KILL_TRACE: trace }
    const wasKilled = yield* Effect.scoped(runOnce(directory, env, killing.isOver))
    const passed = linesOf(trace)
    if (!wasKilled) return { killed, unreached: [...left], passed: new Set(passed) } satisfies Killed as Killed
    const point = passed.at(-1) ?? ""
    if (!left.delete(point)) return yield* Effect.die(new Error(`it was killed at "${point}", where it should not be`))
    killed.push(point)
  }
})

const linesOf = (trace: string): ReadonlyArray<string> =>
  existsSync(trace) ? readFileSync(trace, "utf8").trimEnd().split("\n") : []

/** Whether it killed itself; else it is stopped when all orders have ended. */
const runOnce = Effect.fnUntraced(function* <E>(
  cwd: string,
  env: Readonly<Record<string, string>>,
  isOver: Killing<E>["isOver"]
): Effect.fn.Return<boolean, E, SqlClient.SqlClient | Scope.Scope> {
  const executor = yield* start({ args: [PROGRAM], cwd, env })
  const end = yield* Effect.gen(function* () {
    if (executor.ending() !== undefined) return "ended" as const
    // Before that it would not know how to stop.
    const isUp = executor.said.stdout.includes("Monitoring for funded tasks...")
    return isUp && (yield* isOver) ? ("over" as const) : undefined
  }).pipe(
    Effect.repeat({ schedule: POLL, until: (found) => found !== undefined }),
    Effect.timeoutOrElse({ duration: PATIENCE, orElse: () => failed(executor, `it was not over within ${PATIENCE}`) })
  )
  // The last of the points may come right after what ended the orders.
  if (end === "over") yield* executor.kill("SIGTERM")
  const { code, signal } = yield* executor.ended
  if (signal === "SIGKILL") return true
  return end === "over" && code === 0 ? false : yield* failed(executor, `it ended with code ${code}`)
})

const failed = ({ said }: Running, what: string): Effect.Effect<never> =>
  Effect.die(new Error(`${what}. It said:\n${said.stdout.slice(-6_000)}${said.stderr}`))
