import { Clock, Effect, Schedule, type Scope } from "effect"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { local } from "../config/Network.ts"
import * as DevChain from "./DevChain.ts"
import { ProcessDied, run, untilGone } from "./GuardedProcess.ts"
import { listen, silence } from "./listen.ts"

export interface AnvilOptions {
  /** Used where it is free, else any other. Default: 8545, where every tool expects a development chain. */
  readonly port?: number
  /** A file that the chain is kept in between runs. Without it the chain ends with the scope. */
  readonly statePath?: string
}

export interface Anvil {
  readonly port: number
  readonly chain: DevChain.DevChain
  /** Fails when the chain ends by itself. An executor without its chain is to end too. */
  readonly died: Effect.Effect<never, ProcessDied>
  /** Whether it is the chain of the last run, with its blocks, logs, receipts and code, or one with a block 0 of its own. */
  readonly isRestored: boolean
}

const PORT = 8545

/**
 * Blocks made at once at the start. anvil knows no state before the block that it was restored at: without these a read
 * at `latest - 1`, which is where the executor reads, fails with BlockOutOfRange. So does one before block 0.
 */
const FIRST_BLOCKS = 8

/** At about 1 MB each after 16,000 blocks. */
const STATES_ON_DISK = 32

/** anvil listens within 0.1 s, and within 0.5 s with 22,000 blocks to restore. On a busy machine it may take longer. */
const START_TIMEOUT = "20 seconds"

const POLL = Schedule.spaced("20 millis")

/**
 * A chain of Foundry's anvil that makes a block every second.
 *
 * Between runs it is kept in `statePath`, which anvil writes when it ends, also when it ends because we were killed.
 * While it runs there is no such file: a chain that was cut off (power, container) is then known to be lost, where an
 * old file would bring back a chain in which payments of the last run were never made.
 */
export const start = Effect.fn("Anvil.start")(function* (
  options: AnvilOptions
): Effect.fn.Return<Anvil, ProcessDied, Scope.Scope> {
  const { statePath } = options
  const isRestored = statePath !== undefined && (yield* lastRun(statePath)) === "kept"
  const genesisSeconds = isRestored ? genesisSecondsOf(statePath) : yield* nowSeconds
  const { port, died } = yield* launch(options, genesisSeconds).pipe(
    Effect.retry({ times: PORT_RETRIES, while: isPortTaken })
  )
  const chain = DevChain.connect(`http://127.0.0.1:${port}`)
  yield* beginBlocks(chain).pipe(
    Effect.mapError(({ message }) => new ProcessDied({ message })),
    Effect.raceFirst(died)
  )
  if (statePath !== undefined) {
    writeFileSync(genesisFileOf(statePath), `${genesisSeconds}\n`)
    rmSync(statePath, { force: true })
  }
  return { port, chain, died, isRestored }
})

const nowSeconds = Effect.map(Clock.currentTimeMillis, (ms) => Math.floor(ms / 1000))

/**
 * From here on blocks carry the time of the clock. anvil starts at the time of block 0, and would make the first blocks
 * of a restored chain older than its last: so it makes none by itself until the time is right.
 */
const beginBlocks = Effect.fnUntraced(function* (chain: DevChain.DevChain) {
  const now = BigInt(yield* nowSeconds)
  yield* chain.ask("set the time", async (client) => {
    const { timestamp: last } = await client.getBlock()
    // A clock that was put back: the chain waits for it, as time in it only goes forward.
    await client.setNextBlockTimestamp({ timestamp: now > last ? now : last })
  })
  yield* chain.mine(FIRST_BLOCKS)
  yield* chain.ask("make blocks in time", (client) => client.setIntervalMining({ interval: local.blockSeconds }))
})

/**
 * What the last run left in `statePath`. `lost`: there was a chain, and it was cut off before it could be written.
 * Waits for the anvil of a sandbox that was killed, which is just writing.
 */
export const lastRun = Effect.fn("Anvil.lastRun")(function* (
  statePath: string
): Effect.fn.Return<"none" | "kept" | "lost", ProcessDied> {
  yield* untilGone(pidFileOf(statePath)).pipe(
    Effect.mapError(() => {
      const message = `The anvil of the last run does not end; the pid of its guard is in ${pidFileOf(statePath)}`
      return new ProcessDied({ message })
    })
  )
  if (existsSync(statePath)) return "kept"
  return existsSync(genesisFileOf(statePath)) ? "lost" : "none"
})

/** Returns once anvil listens: then it is this anvil that answers on its port, and no other program that took it first. */
const launch = Effect.fnUntraced(function* (options: AnvilOptions, genesisSeconds: number) {
  const { statePath } = options
  const port = yield* freePort(options.port ?? PORT)
  const folder = mkdtempSync(join(tmpdir(), "ai-mint-anvil-"))
  const died = yield* run({
    name: "anvil",
    program: yield* program,
    args: argumentsOf(statePath, { port, genesisSeconds, folder }),
    scratchFolder: folder,
    pidFile: statePath && pidFileOf(statePath)
  })
  yield* untilListening(folder).pipe(Effect.raceFirst(died))
  return { port, died }
})

/** A free port of loopback: the preferred one or, where that is taken, any. */
export const freePort = (preferred: number): Effect.Effect<number> =>
  Effect.scoped(listen(silence, preferred)).pipe(
    Effect.map((url) => Number(new URL(url).port)),
    Effect.orDie
  )

/** Between our look at a port and anvil's, another program may have taken it. Then we look again. */
const PORT_RETRIES = 3

const isPortTaken = ({ message }: ProcessDied): boolean => message.includes("Address already in use")

const pidFileOf = (statePath: string): string => `${statePath}.pid`

/** anvil describes itself in this file as soon as it listens, and not where its port is taken. */
const listeningFileOf = (folder: string): string => join(folder, "anvil.json")

/** Says that there has been a chain here, and the time of its block 0, seconds since 1970. */
const genesisFileOf = (statePath: string): string => `${statePath}.genesis`

const genesisSecondsOf = (statePath: string): number => Number(readFileSync(genesisFileOf(statePath), "utf8"))

interface Launch {
  readonly port: number
  readonly genesisSeconds: number
  readonly folder: string
}

const argumentsOf = (statePath: string | undefined, { port, genesisSeconds, folder }: Launch) => [
  ...["--host", "127.0.0.1", "--port", String(port), "--chain-id", String(local.chainId), "--no-mining"],
  // anvil makes a block 0 of its own before it restores a chain, and keeps both: from the second restart on it is a
  // matter of luck which one is found. With the same time they are the same block.
  ...["--timestamp", String(genesisSeconds)],
  // Later forks keep the hashes of 8,191 blocks in a contract's storage (EIP-2935), of which anvil then takes a copy
  // with every block: measured after 4,000 blocks, 5 ms a block instead of 1 ms.
  ...["--hardfork", "cancun"],
  // By default anvil writes 3,600 earlier states under the home directory and leaves them there: measured after 16,000
  // blocks, 3.8 GB. --prune-history is no way out: alone it forgets the state at latest - 1 too, and with a number it
  // lets memory grow instead, to 3.5 GB.
  ...["--max-persisted-states", String(STATES_ON_DISK), "--cache-path", folder],
  ...["--config-out", listeningFileOf(folder)],
  "--silent",
  ...(statePath === undefined ? [] : ["--state", statePath])
]

/** The binary itself: the package's own launcher is a Node process, and would stand between us and anvil. */
const program = Effect.suspend(() => {
  const system = `${process.platform}-${process.arch === "x64" ? "amd64" : process.arch}`
  try {
    const require = createRequire(import.meta.url)
    const launcher = createRequire(require.resolve("@foundry-rs/anvil/package.json"))
    const folder = dirname(launcher.resolve(`@foundry-rs/anvil-${system}/package.json`))
    return Effect.succeed(join(folder, "bin", "anvil"))
  } catch {
    const message = `There is no @foundry-rs/anvil-${system} among the installed packages: run npm ci, or set LOCAL_RPC_URL`
    return Effect.fail(new ProcessDied({ message }))
  }
})

const untilListening = (folder: string): Effect.Effect<void, ProcessDied> =>
  Effect.sync(() => existsSync(listeningFileOf(folder))).pipe(
    Effect.repeat({ schedule: POLL, until: (isListening) => isListening }),
    Effect.timeoutOrElse({
      duration: START_TIMEOUT,
      orElse: () => Effect.fail(new ProcessDied({ message: `anvil did not start within ${START_TIMEOUT}` }))
    })
  )
