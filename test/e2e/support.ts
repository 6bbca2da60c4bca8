import { Duration, Effect, Schedule } from "effect"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseAbiItem } from "viem"
import type { Address } from "../../src/domain/Address.ts"
import type { DevChain } from "../../src/sandbox/DevChain.ts"
import { isRunning } from "../../src/sandbox/sandboxFile.ts"

export const ROOT = fileURLToPath(new URL("../../", import.meta.url))

const { apps } = createRequire(import.meta.url)(join(ROOT, "ecosystem.config.cjs")) as {
  readonly apps: ReadonlyArray<{ readonly node_args: ReadonlyArray<string> }>
}

/** What Node is given to run the built executor as pm2 runs it, whatever the folder that it is started in. */
export const BUILT_EXECUTOR: ReadonlyArray<string> = [
  ...apps.flatMap(({ node_args }) => node_args.map((arg) => arg.replace(/^\.\//, ROOT))),
  join(ROOT, "dist/main.js")
]

/** How often a process, a row or the chain is looked at. */
const POLL = Schedule.spaced("50 millis")

/** Real processes on a machine that has other things to do: far more than any of these waits takes. */
const PATIENCE = "150 seconds"

/** What a whole story of them may take, in milliseconds. */
export const TIMEOUT_MS = 300_000

/** What `look` finds, as soon as it finds anything. */
export const eventually = <A, E, R>(
  what: string,
  look: Effect.Effect<A | undefined, E, R>,
  tell: () => string = () => ""
): Effect.Effect<A, E, R> =>
  look.pipe(
    Effect.repeat({ schedule: POLL, until: (found): found is A & {} => found !== undefined }),
    Effect.timeoutOrElse({
      duration: PATIENCE,
      orElse: () => Effect.die(new Error(`waited ${PATIENCE} in vain: ${what}\n${tell()}`))
    })
  ) as Effect.Effect<A, E, R>

/** Until `holds` does. */
export const until = <E, R>(what: string, holds: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.asVoid(
    eventually(
      what,
      Effect.map(holds, (it) => (it ? it : undefined))
    )
  )

/** A directory of the test's own, removed with everything in it. */
export const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "ai-mint-e2e-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }))
)

export interface Command {
  /** What Node is given: options, a script, its arguments. */
  readonly args: ReadonlyArray<string>
  readonly cwd: string
  /** All that the process finds in its environment, besides where programs are. */
  readonly env?: Readonly<Record<string, string>>
}

/** How a process ended: one of the two is null. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A process of its own, and what it says. */
export interface Running {
  readonly pid: number
  readonly said: { readonly stdout: string; readonly stderr: string }
  /** The first line with these words, as soon as it is there. A process that ends without having said it is a defect. */
  readonly line: (words: string) => Effect.Effect<string>
  readonly kill: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** How it ended; `undefined` as long as it runs. */
  readonly ending: () => Ending | undefined
  /** Waits for the end, streams included. */
  readonly ended: Effect.Effect<Ending>
}

/** Starts Node; with the scope the process is told to stop, and killed where it does not. */
export const start = Effect.fnUntraced(function* ({ args, cwd, env = {} }: Command) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, args, {
        cwd,
        env: { PATH: process.env["PATH"], ...env },
        stdio: ["ignore", "pipe", "pipe"]
      })
    ),
    putDown
  )
  const said = { stdout: "", stderr: "" }
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => (said[stream] += text))
  }
  const end: { reached?: Ending } = {}
  child.once("close", (code, signal) => (end.reached = { code, signal }))
  const find = (words: string) =>
    said.stdout.split("\n").find((line) => line.includes(words)) ??
    said.stderr.split("\n").find((line) => line.includes(words))
  const tell = () => `It said:\n${said.stdout}${said.stderr}`
  return {
    pid: child.pid ?? 0,
    said,
    line: (words) =>
      eventually(
        `the line "${words}"`,
        Effect.suspend(() => {
          const line = find(words)
          if (line !== undefined || end.reached === undefined) return Effect.succeed(line)
          return Effect.die(new Error(`it ended before it said "${words}". ${tell()}`))
        }),
        tell
      ),
    kill: (signal) => Effect.sync(() => void child.kill(signal)),
    ending: () => end.reached,
    ended: eventually(
      "the end of the process",
      Effect.sync(() => end.reached),
      tell
    )
  } satisfies Running as Running
})

const isOver = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

/** How long a process that is left over may take to wind up. */
const WIND_UP = Duration.seconds(10)

const putDown = (child: ChildProcess) =>
  Effect.suspend(() => {
    if (isOver(child)) return Effect.void
    child.kill("SIGCONT")
    child.kill("SIGINT")
    return Effect.promise(() => once(child, "exit")).pipe(
      Effect.timeoutOrElse({ duration: WIND_UP, orElse: () => Effect.sync(() => child.kill("SIGKILL")) }),
      Effect.interruptible,
      Effect.asVoid
    )
  })

/** The executor as `npm start` runs it, in a directory of its own. */
export const startExecutor = (cwd: string, env: Readonly<Record<string, string>>) =>
  start({ args: ["--import", join(ROOT, "src/guard.js"), join(ROOT, "src/main.ts")], cwd, env })

/** All processes below this one, and theirs. */
export const descendantsOf = (pid: number): ReadonlyArray<number> => {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" })
  const pairs = table
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
  const below = (parent: number): ReadonlyArray<number> =>
    pairs.filter(([, of]) => of === parent).flatMap(([child = 0]) => [child, ...below(child)])
  return below(pid)
}

/** Waits until none of them is there any more. */
export const untilGone = (pids: ReadonlyArray<number>) =>
  until(
    `the end of the processes ${pids.join(", ")}`,
    Effect.sync(() => !pids.some(isRunning))
  )

/** A port of loopback that nobody listens on. */
export const closedPort = Effect.callback<number>((resume) => {
  const probe = createServer()
  probe.listen(0, "127.0.0.1", () => {
    const address = probe.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    probe.close(() => resume(Effect.succeed(port)))
  })
})

const transferred = parseAbiItem("event Transfer(address indexed from, address indexed to, uint256 value)")
const tokensMinted = parseAbiItem("event TokensMinted(address indexed to, uint256 amount, bytes32 id)")

/** Every amount of USDC that ever left the wallet, oldest first. */
export const paymentsFrom = (chain: DevChain, usdc: Address, wallet: string) =>
  chain
    .ask("read the payments", (client) =>
      client.getLogs({ address: usdc, event: transferred, args: { from: wallet as Address }, fromBlock: 0n })
    )
    .pipe(Effect.map((logs) => logs.map(({ args }) => args.value ?? 0n)))

/** How many mints of the token the person ever got. */
export const mintsTo = (chain: DevChain, token: Address, person: string) =>
  chain
    .ask("read the mints", (client) =>
      client.getLogs({ address: token, event: tokensMinted, args: { to: person as Address }, fromBlock: 0n })
    )
    .pipe(Effect.map((logs) => logs.length))
