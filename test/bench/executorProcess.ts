import { Deferred, Effect } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { type BaseSepolia, deployment } from "../e2e/baseSepolia.ts"
import { BUILT_EXECUTOR, closedPort, temporaryDirectory } from "../e2e/support.ts"

/** The built executor, in a process of its own. */
export interface Executor {
  /** Where its HTTP API is. */
  readonly url: string
  /** Milliseconds from its start to the first line with these words. Its end before that is a defect. */
  readonly line: (words: string) => Effect.Effect<number>
  /** Processor time that it has used so far, its start included. */
  readonly cpuMs: () => number
  /** Main memory that it holds now. */
  readonly rssMb: () => number
  /** The last lines that it wrote, for the message of a failure. */
  readonly lastLines: () => string
  /** Its end by itself is a defect; never succeeds. */
  readonly died: Effect.Effect<never>
}

export interface ExecutorOptions {
  readonly network: BaseSepolia
  readonly databaseUrl: string
  /** Where it asks the chain. Default: the chain itself. */
  readonly rpcUrl?: string
  readonly settings?: Readonly<Record<string, string>>
}

/** So many of its last lines are kept. */
const LINES_KEPT = 15

/** Shorter than by default, so that a run shows what the executor is able to do and not how long it waits. */
const PACE = { CHECK_INTERVAL: "1s", MINT_INTERVAL: "500ms", PAYMENT_TIMEOUT: "12 hours" }

/** Starts `dist/main.js`, which `npm run build` has made, and stops it when the scope closes. */
export const startExecutor = Effect.fnUntraced(function* (options: ExecutorOptions) {
  const port = yield* closedPort
  const { network, databaseUrl, rpcUrl = network.chain.rpcUrl, settings } = options
  const env = {
    PATH: process.env["PATH"],
    ...deployment(network, databaseUrl),
    BASE_SEPOLIA_RPC_URL: rpcUrl,
    OPS_PORT: String(port),
    ...PACE,
    ...settings
  }
  const cwd = yield* temporaryDirectory
  const startMs = performance.now()
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, BUILT_EXECUTOR, { cwd, env, stdio: ["ignore", "pipe", "inherit"] })),
    (running) =>
      Effect.promise(async () => {
        if (running.exitCode !== null || running.signalCode !== null) return
        running.kill("SIGTERM")
        await once(running, "exit")
      })
  )
  const waiting = new Map<string, Deferred.Deferred<number>>()
  const lines: Array<string> = []
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line)
    if (lines.length > LINES_KEPT) lines.shift()
    for (const [words, deferred] of waiting) {
      if (!line.includes(words)) continue
      waiting.delete(words)
      Deferred.doneUnsafe(deferred, Effect.succeed(performance.now() - startMs))
    }
  })
  const lastLines = () => lines.join("\n")
  const died = yield* Deferred.make<number>()
  child.once("exit", (code) => {
    const defect = Effect.die(new Error(`the executor ended with ${code}, and said last:\n${lastLines()}`))
    for (const deferred of [...waiting.values(), died]) Deferred.doneUnsafe(deferred, defect)
  })
  const stat = () => readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]?.split(" ").map(Number) ?? []
  return {
    url: `http://127.0.0.1:${port}`,
    line: Effect.fnUntraced(function* (words) {
      const deferred = yield* Deferred.make<number>()
      waiting.set(words, deferred)
      return yield* Deferred.await(deferred)
    }),
    lastLines,
    died: Effect.andThen(Deferred.await(died), Effect.never),
    cpuMs: () => ((stat()[USER_TICKS] ?? 0) + (stat()[SYSTEM_TICKS] ?? 0)) * MS_PER_TICK,
    rssMb: () => ((stat()[RSS_PAGES] ?? 0) * BYTES_PER_PAGE) / 1e6
  } satisfies Executor as Executor
})

/** Fields of `/proc/<pid>/stat` behind the program's name, and their units on Linux. Source: proc_pid_stat(5). */
const USER_TICKS = 11
const SYSTEM_TICKS = 12
const RSS_PAGES = 21
const MS_PER_TICK = 10
const BYTES_PER_PAGE = 4_096
