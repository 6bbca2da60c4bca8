import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Schedule } from "effect"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { usdc } from "../../src/domain/Usdc.ts"
import { address } from "../../src/domain/Address.ts"
import * as Anvil from "../../src/sandbox/Anvil.ts"
import * as Contracts from "../../src/sandbox/Contracts.ts"
import type { DevChain } from "../../src/sandbox/DevChain.ts"
import { USDC, usdcAbi } from "../../src/sandbox/usdcDeployment.ts"
import { emptyDirectory } from "./commandFixtures.ts"

const SOMEBODY = address("0x00000000000000000000000000000000000000aa")

const statePath = Effect.map(emptyDirectory, (folder) => join(folder, "chain.json"))

const DAY_SECONDS = 86_400

/** Runs with a clock that is a day behind. */
const aDayAgo = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Effect.clockWith((clock) => {
    const currentTimeMillis = Effect.map(clock.currentTimeMillis, (ms) => ms - DAY_SECONDS * 1000)
    return Effect.provideService(work, Clock.Clock, Object.assign(Object.create(clock), { currentTimeMillis }))
  })

interface ChainFile {
  readonly blocks: ReadonlyArray<{ readonly header: { readonly number: string; readonly timestamp: string } }>
}

/** What a restart must not lose. */
const factsOf = (chain: DevChain, tx: `0x${string}`) =>
  chain.ask("read what is to survive", async (client) => ({
    genesis: (await client.getBlock({ blockNumber: 0n })).hash,
    block: (await client.getTransactionReceipt({ hash: tx })).blockHash,
    input: (await client.getTransaction({ hash: tx })).input,
    logs: await client.getLogs({ address: USDC, event: usdcAbi[7], args: { to: SOMEBODY }, fromBlock: 0n }),
    code: await client.getCode({ address: Contracts.TOKEN })
  }))

describe("a chain that is kept", () => {
  it.live("has its block 0, logs, receipts, transactions and code again after a restart", () =>
    Effect.gen(function* () {
      const path = yield* statePath
      const [before, tx] = yield* Effect.scoped(
        Effect.gen(function* () {
          const { chain, isRestored } = yield* Anvil.start({ statePath: path })
          assert.isFalse(isRestored)
          yield* Contracts.deploy(chain)
          const tx = yield* Contracts.payUsdc(chain, SOMEBODY, usdc(5_000_000n))
          return [yield* factsOf(chain, tx), tx] as const
        })
      )
      const { chain, isRestored } = yield* Anvil.start({ statePath: path })
      assert.isTrue(isRestored)
      const after = yield* factsOf(chain, tx)
      assert.strictEqual(after.logs.length, 1)
      assert.deepStrictEqual(after, before)
    })
  )

  it.live("has one block 0, and time only goes forward in it, when it was made long before", () =>
    Effect.gen(function* () {
      const path = yield* statePath
      yield* Effect.scoped(Anvil.start({ statePath: path })).pipe(aDayAgo)
      yield* Effect.scoped(Anvil.start({ statePath: path }))
      // anvil on its own would have two: the second restart finds the one or the other.
      const { blocks }: ChainFile = JSON.parse(readFileSync(path, "utf8"))
      const headers = blocks
        .map(({ header }) => ({ number: Number(header.number), seconds: Number(header.timestamp) }))
        .toSorted((a, b) => a.number - b.number)
      assert.deepStrictEqual(
        headers.map(({ number }) => number),
        headers.map((_, index) => index)
      )
      const times = headers.map(({ seconds }) => seconds)
      assert.deepStrictEqual(
        times,
        times.toSorted((a, b) => a - b)
      )
      assert.closeTo((times.at(-1) ?? 0) - (times[0] ?? 0), DAY_SECONDS, 5)
      assert.closeTo(times.at(-1) ?? 0, Date.now() / 1000, 5)
    })
  )

  it.live("can be read at the blocks before the last, from its first moment and after a restart", () =>
    Effect.gen(function* () {
      const path = yield* statePath
      const readBack = Effect.scoped(
        Effect.gen(function* () {
          const { chain } = yield* Anvil.start({ statePath: path })
          return yield* chain.ask("read an earlier block", async (client) =>
            client.getBalance({ address: SOMEBODY, blockNumber: (await client.getBlockNumber()) - 5n })
          )
        })
      )
      assert.strictEqual(yield* readBack, 0n)
      assert.strictEqual(yield* readBack, 0n)
    })
  )
})

describe("a chain without a file", () => {
  it.live("makes a block every second", () =>
    Effect.gen(function* () {
      const { chain } = yield* Anvil.start({})
      const height = chain.ask("read the height", (client) => client.getBlockNumber())
      const first = yield* height
      yield* height.pipe(
        Effect.repeat({ schedule: Schedule.spaced("50 millis"), until: (now) => now >= first + 2n }),
        Effect.timeout("5 seconds")
      )
    })
  )
})

const HOLD = fileURLToPath(new URL("programs/holdAnvil.ts", import.meta.url))

interface Held {
  readonly holder: ChildProcess
  /** The pid of the guard, and the process group that it and anvil are in. */
  readonly guard: number
  readonly lines: AsyncIterableIterator<string>
}

/** A process of its own that holds a chain, in a process group of its own, as a shell gives to what it starts. */
const hold = (path: string) =>
  Effect.acquireRelease(
    Effect.promise(async (): Promise<Held> => {
      const holder = spawn(process.execPath, [HOLD, path], { detached: true, stdio: ["ignore", "pipe", "inherit"] })
      const lines = createInterface({ input: holder.stdout })[Symbol.asyncIterator]()
      const { value } = await lines.next()
      return { holder, guard: Number(value), lines }
    }),
    ({ holder, guard }) =>
      Effect.sync(() => {
        holder.kill("SIGKILL")
        if (!isEnded(guard)) process.kill(-guard, "SIGKILL")
      })
  )

/** The anvil that a guard guards. */
const anvilOf = ({ guard }: Held): number => {
  const processes = execFileSync("ps", ["-A", "-o", "pid=,pgid=,comm="], { encoding: "utf8" })
  const found = processes.split("\n").map((line) => line.trim().split(/\s+/))
  return Number(found.find(([, group, name]) => Number(group) === guard && name?.endsWith("anvil"))?.[0])
}

const isEnded = (group: number): boolean => {
  try {
    process.kill(-group, 0)
    return false
  } catch {
    return true
  }
}

const untilEnded = ({ guard }: Held) =>
  Effect.sync(() => isEnded(guard)).pipe(
    Effect.repeat({ schedule: Schedule.spaced("20 millis"), until: (ended) => ended }),
    Effect.timeout("10 seconds")
  )

const exitOf = ({ holder }: Held) =>
  Effect.promise(async () => {
    if (holder.exitCode === null && holder.signalCode === null) await once(holder, "exit")
    return holder.exitCode
  })

describe("a chain and the process that started it", () => {
  it.live("end together when that process is killed, and the chain is still written", () =>
    Effect.gen(function* () {
      const path = yield* statePath
      const held = yield* hold(path)
      assert.isFalse(existsSync(path), "no chain on disk while it runs")
      held.holder.kill("SIGKILL")
      // At once, as a person would who saw it crash: it waits for the anvil that is just writing.
      const { isRestored } = yield* Anvil.start({ statePath: path })
      assert.isTrue(isRestored)
      yield* untilEnded(held)
    })
  )

  it.live("stand Ctrl-C differently: the chain answers until the process has wound up", () =>
    Effect.gen(function* () {
      const held = yield* hold(yield* statePath)
      process.kill(-(held.holder.pid ?? 0), "SIGINT")
      assert.strictEqual((yield* Effect.promise(() => held.lines.next())).value, "answers: yes")
      yield* exitOf(held)
      yield* untilEnded(held)
    })
  )

  it.live("both end when the chain dies", () =>
    Effect.gen(function* () {
      const held = yield* hold(yield* statePath)
      process.kill(anvilOf(held), "SIGKILL")
      assert.strictEqual(yield* exitOf(held), 1)
      yield* untilEnded(held)
    })
  )

  it.live("both end when the guard between them dies", () =>
    Effect.gen(function* () {
      const held = yield* hold(yield* statePath)
      process.kill(held.guard, "SIGKILL")
      assert.strictEqual(yield* exitOf(held), 1)
      yield* untilEnded(held)
    })
  )

  it.live("are known to have been cut off when the chain could not be written", () =>
    Effect.gen(function* () {
      const path = yield* statePath
      assert.strictEqual(yield* Anvil.lastRun(path), "none")
      const held = yield* hold(path)
      process.kill(-held.guard, "SIGKILL")
      yield* exitOf(held)
      yield* untilEnded(held)
      assert.strictEqual(yield* Anvil.lastRun(path), "lost")
    })
  )
})
