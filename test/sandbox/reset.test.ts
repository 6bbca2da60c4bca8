import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { local } from "../../src/config/Network.ts"
import { address } from "../../src/domain/Address.ts"
import {
  findSandbox,
  isOurs,
  isRunning,
  lock,
  LOCK,
  MARKER,
  publish,
  type SandboxInfo
} from "../../src/sandbox/sandboxFile.ts"

const RESET = fileURLToPath(new URL("../../src/sandbox/reset.ts", import.meta.url))
const SANDBOX_FILE = new URL("../../src/sandbox/sandboxFile.ts", import.meta.url).href
const EFFECT = import.meta.resolve("effect")

/** Linux and macOS give no process a number as high as this. */
const UNUSED_PID = 99_999_999

/** A name in an empty directory: nothing is there yet. */
const freshName = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "reset-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
).pipe(Effect.map((directory) => join(directory, ".data")))

/** What a sandbox leaves behind when it stops. */
const leftBehind = Effect.gen(function* () {
  const dataDir = yield* freshName
  yield* Effect.scoped(lock(dataDir))
  mkdirSync(join(dataDir, "postgres/base"), { recursive: true })
  writeFileSync(join(dataDir, "postgres/base/1"), "rows")
  writeFileSync(join(dataDir, "chain.json"), "{}")
  return dataDir
})

const reset = (...args: ReadonlyArray<string>) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [RESET, ...args], { env: {}, encoding: "utf8" })
  return { status, stdout, stderr }
}

/** Another process that locks the directory, says `held` or why not, and stays until it is killed. */
const HOLDER = `
  import { Effect } from ${JSON.stringify(EFFECT)}
  import { lock } from ${JSON.stringify(SANDBOX_FILE)}
  const held = Effect.sync(() => console.log("held")).pipe(Effect.andThen(Effect.never))
  const main = lock(process.argv[1]).pipe(Effect.andThen(held), Effect.scoped)
  Effect.runPromise(main).catch((error) => console.log(error.reason))
  process.stdin.resume()
`

const startHolder = (dataDir: string) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<{ readonly child: ChildProcess; readonly says: string }>((resolve) => {
          const child = spawn(process.execPath, ["--input-type=module", "--eval", HOLDER, dataDir])
          child.stdout.setEncoding("utf8").once("data", (text: string) => resolve({ child, says: text.trim() }))
        })
    ),
    ({ child }) => kill(child)
  )

const kill = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

describe("the lock of a data directory", () => {
  it.effect("makes the directory, marks it as the sandbox's, and is gone when the scope closes", () =>
    Effect.gen(function* () {
      const dataDir = yield* freshName
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* lock(dataDir)
          assert.deepStrictEqual(readdirSync(dataDir).toSorted(), [MARKER, LOCK])
        })
      )
      assert.deepStrictEqual(readdirSync(dataDir), [MARKER])
      assert.isTrue(isOurs(dataDir))
    })
  )

  it.effect("does not mark a directory that holds something already", () =>
    Effect.gen(function* () {
      const dataDir = yield* freshName
      mkdirSync(dataDir)
      writeFileSync(join(dataDir, "thesis.tex"), "")
      yield* lock(dataDir)
      assert.isFalse(isOurs(dataDir))
    })
  )

  it.effect("keeps another sandbox off, and tells it who is there and what to do", () =>
    Effect.gen(function* () {
      const dataDir = yield* freshName
      yield* lock(dataDir)
      const error = yield* Effect.flip(Effect.scoped(lock(dataDir)))
      assert.deepStrictEqual([error.reason, error.pid], ["Locked", process.pid])
      assert.strictEqual(
        error.message,
        `A sandbox (process ${process.pid}) is on ${dataDir}. Stop it (Ctrl+C where it runs, or: kill ${process.pid}), ` +
          "or use another directory."
      )
      assert.isTrue(existsSync(join(dataDir, LOCK)))
    })
  )

  it.live("is taken over from a process that was killed, and from no other", () =>
    Effect.gen(function* () {
      const dataDir = yield* freshName
      const { child, says } = yield* startHolder(dataDir)
      assert.strictEqual(says, "held")
      assert.strictEqual((yield* Effect.flip(lock(dataDir))).pid, child.pid)
      yield* kill(child)
      yield* lock(dataDir)
      assert.strictEqual((yield* Effect.flip(lock(dataDir))).pid, process.pid)
    })
  )

  it.effect("is taken over from an earlier process that had a number which is in use again", () =>
    Effect.gen(function* () {
      const dataDir = yield* freshName
      mkdirSync(dataDir)
      writeFileSync(join(dataDir, LOCK), `${process.pid} before the last restart`)
      yield* lock(dataDir)
      assert.strictEqual((yield* Effect.flip(lock(dataDir))).pid, process.pid)
    })
  )

  it.live("goes to one of several that find it dead at once", () =>
    Effect.gen(function* () {
      const dataDir = yield* freshName
      mkdirSync(dataDir)
      writeFileSync(join(dataDir, LOCK), `${UNUSED_PID} long ago`)
      const holders = yield* Effect.replicateEffect(startHolder(dataDir), 5, { concurrency: "unbounded" })
      assert.deepStrictEqual(holders.map(({ says }) => says).toSorted(), [
        "Locked",
        "Locked",
        "Locked",
        "Locked",
        "held"
      ])
    })
  )

  it.effect("counts as held where it cannot be read, and names the file to delete", () =>
    Effect.gen(function* () {
      const dataDir = yield* freshName
      mkdirSync(dataDir)
      writeFileSync(join(dataDir, LOCK), "")
      const { reason, message } = yield* Effect.flip(lock(dataDir))
      assert.strictEqual(reason, "Locked")
      assert.include(message, `if none runs, delete ${join(dataDir, LOCK)}`)
    })
  )

  it.effect("says why a directory cannot be used", () =>
    Effect.gen(function* () {
      const dataDir = yield* freshName
      writeFileSync(dataDir, "a file")
      const { reason, message } = yield* Effect.flip(lock(dataDir))
      assert.strictEqual(reason, "Unusable")
      assert.match(message, /^The data directory .*\.data cannot be used: EEXIST/)
    })
  )
})

describe("sandbox.json", () => {
  const info: SandboxInfo = {
    pid: process.pid,
    startedAt: new Date("2025-11-01T05:15:30Z"),
    rpcUrl: "http://127.0.0.1:8545",
    serverUrl: "http://127.0.0.1:4021",
    usdc: local.usdc.address,
    token: address(`0x${"70".repeat(20)}`),
    databaseUrl: "embedded",
    paymentTimeoutMs: 600_000
  }

  it.effect("tells others about the sandbox for as long as it runs, and is for its owner only", () =>
    Effect.gen(function* () {
      const dataDir = yield* leftBehind
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* publish(dataDir, info)
          assert.deepStrictEqual(yield* findSandbox(dataDir), info)
          assert.strictEqual(statSync(join(dataDir, "sandbox.json")).mode & 0o777, 0o600)
        })
      )
      assert.strictEqual((yield* Effect.flip(findSandbox(dataDir))).reason, "NotRunning")
    })
  )

  it.effect("is not believed when its process is gone", () =>
    Effect.gen(function* () {
      const dataDir = yield* leftBehind
      yield* publish(dataDir, { ...info, pid: UNUSED_PID })
      assert.strictEqual((yield* Effect.flip(findSandbox(dataDir))).reason, "NotRunning")
    })
  )
})

describe("a process", () => {
  it("runs or does not, whosever it is", () => {
    assert.isTrue(isRunning(process.pid))
    assert.isTrue(isRunning(1))
    for (const pid of [UNUSED_PID, 0, -1, 1.5, Number.NaN]) assert.isFalse(isRunning(pid))
  })
})

describe("sandbox:reset", () => {
  it.effect("deletes the directory with everything in it, and says so", () =>
    Effect.gen(function* () {
      const dataDir = yield* leftBehind
      const { status, stdout, stderr } = reset("--data-dir", dataDir)
      assert.deepStrictEqual([status, stderr], [0, ""])
      assert.include(stdout, `Deleted ${dataDir}: `)
      assert.isFalse(existsSync(dataDir))
    })
  )

  it.effect("has nothing to do where there is nothing", () =>
    Effect.gen(function* () {
      const dataDir = yield* freshName
      const stdout = `Nothing to delete: there is no ${dataDir}.\n`
      assert.deepStrictEqual(reset("--data-dir", dataDir), { status: 0, stdout, stderr: "" })
    })
  )

  it.effect("deletes nothing that is not the sandbox's", () =>
    Effect.gen(function* () {
      const dataDir = yield* freshName
      mkdirSync(dataDir)
      writeFileSync(join(dataDir, "thesis.tex"), "")
      const { status, stdout, stderr } = reset("--data-dir", dataDir)
      assert.deepStrictEqual([status, stdout], [1, ""])
      assert.include(stderr, `Nothing was deleted. ${dataDir} has no ${MARKER}`)
      assert.deepStrictEqual(readdirSync(dataDir), ["thesis.tex"])
    })
  )

  it.effect("refuses while a sandbox runs, and names it", () =>
    Effect.gen(function* () {
      const dataDir = yield* leftBehind
      yield* lock(dataDir)
      const { status, stdout, stderr } = reset("--data-dir", dataDir)
      assert.deepStrictEqual([status, stdout], [1, ""])
      assert.include(stderr, `Nothing was deleted. A sandbox (process ${process.pid}) is on ${dataDir}.`)
      assert.isTrue(existsSync(join(dataDir, "postgres/base/1")))
    })
  )

  it.live("deletes what a sandbox left that was killed", () =>
    Effect.gen(function* () {
      const dataDir = yield* leftBehind
      const { child } = yield* startHolder(dataDir)
      yield* kill(child)
      assert.strictEqual(reset("--data-dir", dataDir).status, 0)
      assert.isFalse(existsSync(dataDir))
    })
  )

  it.live("waits for the chain of a sandbox that was killed, which writes itself into the directory", () =>
    Effect.gen(function* () {
      const dataDir = yield* leftBehind
      const pidFile = join(dataDir, "chain.json.pid")
      const chain = spawn("sh", ["-c", `read -r _; echo "{}" > "${dataDir}/chain.json"`, "guard", pidFile])
      writeFileSync(pidFile, String(chain.pid))
      const { status, stdout } = yield* Effect.promise(
        () =>
          new Promise<{ readonly status: number | null; readonly stdout: string }>((resolve) => {
            const child = spawn(process.execPath, [RESET, "--data-dir", dataDir], { env: {} })
            let stdout = ""
            child.stdout.setEncoding("utf8").on("data", (text: string) => {
              stdout += text
              if (stdout.includes("Waiting")) chain.stdin.end()
            })
            child.once("close", (code) => resolve({ status: code, stdout }))
          })
      )
      assert.strictEqual(status, 0)
      assert.match(stdout, /^The last sandbox was killed\. Waiting for what it left running\.\.\.\n🧹 Deleted /)
      assert.isFalse(existsSync(dataDir))
    })
  )

  it("explains itself", () => {
    const { status, stdout } = reset("--help")
    assert.strictEqual(status, 0)
    assert.include(stdout, "--data-dir")
  })
})
