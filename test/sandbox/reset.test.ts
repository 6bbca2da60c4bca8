import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { clear } from "../../src/sandbox/reset.ts"
import { findSandbox, isOurs, isRunning, lock, LOCK, MARKER, publish } from "../../src/sandbox/sandboxFile.ts"
import { emptyDirectory, info, scriptOf, UNUSED_PID } from "./commandFixtures.ts"

const SANDBOX_FILE = new URL("../../src/sandbox/sandboxFile.ts", import.meta.url).href
const EFFECT = import.meta.resolve("effect")

/** A name in an empty directory: nothing is there yet. */
const freshName = Effect.map(emptyDirectory, (directory) => join(directory, ".data"))

/** What a sandbox leaves behind when it stops. */
const leftBehind = Effect.gen(function* () {
  const dataDir = yield* freshName
  yield* Effect.scoped(lock(dataDir))
  mkdirSync(join(dataDir, "postgres/base"), { recursive: true })
  writeFileSync(join(dataDir, "postgres/base/1"), "rows")
  writeFileSync(join(dataDir, "chain.json"), "{}")
  return dataDir
})

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

const unavailable = (dataDir: string) => Effect.flip(Effect.scoped(lock(dataDir)))

describe("the lock of a data directory", () => {
  it.live("makes the directory and marks it as the sandbox's, but none that holds something already", () =>
    Effect.gen(function* () {
      const dataDir = yield* freshName
      yield* Effect.scoped(lock(dataDir))
      assert.deepStrictEqual(readdirSync(dataDir).toSorted(), [MARKER, LOCK])
      const other = yield* emptyDirectory
      writeFileSync(join(other, "thesis.tex"), "")
      yield* lock(other)
      assert.deepStrictEqual([isOurs(dataDir), isOurs(other)], [true, false])
    })
  )

  it.live("keeps another sandbox off until it is released, and tells it who is there and what to do", () =>
    Effect.gen(function* () {
      const dataDir = yield* freshName
      yield* Effect.scoped(lock(dataDir))
      yield* lock(dataDir)
      const { reason, pid, message } = yield* unavailable(dataDir)
      assert.deepStrictEqual([reason, pid], ["Locked", process.pid])
      assert.strictEqual(
        message,
        `A sandbox (process ${process.pid}) is on ${dataDir}. Stop it (Ctrl+C where it runs, or: kill ${process.pid}), ` +
          "or use another directory."
      )
    })
  )

  it.live("ends with a process that is killed, and goes to one of several that come then", () =>
    Effect.gen(function* () {
      const dataDir = yield* freshName
      const { child, says } = yield* startHolder(dataDir)
      assert.strictEqual(says, "held")
      assert.strictEqual((yield* unavailable(dataDir)).pid, child.pid)
      yield* kill(child)
      const holders = yield* Effect.replicateEffect(startHolder(dataDir), 4, { concurrency: "unbounded" })
      assert.deepStrictEqual(holders.map(({ says }) => says).toSorted(), ["Locked", "Locked", "Locked", "held"])
    })
  )

  it.live("says why a directory cannot be used", () =>
    Effect.gen(function* () {
      const dataDir = yield* freshName
      writeFileSync(dataDir, "a file")
      const { reason, message } = yield* unavailable(dataDir)
      assert.strictEqual(reason, "Unusable")
      assert.match(message, /^The data directory .*\.data cannot be used: EEXIST/)
    })
  )
})

describe("sandbox.json", () => {
  it.live("tells others about the sandbox for as long as it runs, and is for its owner only", () =>
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

  it("names a process that runs or does not, of any user", () => {
    assert.deepStrictEqual([process.pid, 1, UNUSED_PID, 0].map(isRunning), [true, true, false, false])
  })
})

describe("sandbox:reset", () => {
  const reset = (directory: string, ...args: ReadonlyArray<string>) => scriptOf("reset")(directory, ...args)
  const refusalOf = (dataDir: string) => Effect.map(Effect.flip(clear(dataDir, assert.fail)), ({ message }) => message)

  it.live("deletes the directory with everything in it, also of a sandbox that was killed, and says so", () =>
    Effect.gen(function* () {
      const dataDir = yield* leftBehind
      yield* kill((yield* startHolder(dataDir)).child)
      const { status, stdout, stderr } = yield* reset("/", "--data-dir", dataDir)
      assert.deepStrictEqual([status, stderr], [0, ""])
      assert.include(stdout, `Deleted ${dataDir}: `)
      assert.isFalse(existsSync(dataDir))
      assert.strictEqual(yield* clear(dataDir, assert.fail), `Nothing to delete: there is no ${dataDir}.`)
    })
  )

  it.live("deletes nothing that is not the sandbox's", () =>
    Effect.gen(function* () {
      const dataDir = yield* emptyDirectory
      writeFileSync(join(dataDir, "thesis.tex"), "")
      assert.include(yield* refusalOf(dataDir), `Nothing was deleted. ${dataDir} has no ${MARKER}`)
      assert.deepStrictEqual(readdirSync(dataDir), ["thesis.tex"])
    })
  )

  it.live("refuses while a sandbox runs, and names it", () =>
    Effect.gen(function* () {
      const dataDir = yield* leftBehind
      yield* lock(dataDir)
      const { status, stdout, stderr } = yield* reset("/", "--data-dir", dataDir)
      assert.deepStrictEqual([status, stdout], [1, ""])
      assert.include(stderr, `Nothing was deleted. A sandbox (process ${process.pid}) is on ${dataDir}.`)
      assert.isTrue(existsSync(join(dataDir, "postgres/base/1")))
    })
  )

  it.live("waits for the chain of a sandbox that was killed, which writes itself into the directory", () =>
    Effect.gen(function* () {
      const dataDir = yield* leftBehind
      const pidFile = join(dataDir, "chain.json.pid")
      const chain = spawn("sh", ["-c", `read -r _; echo "{}" > "${dataDir}/chain.json"`, "guard", pidFile])
      writeFileSync(pidFile, String(chain.pid))
      const said: Array<string> = []
      const report = yield* clear(dataDir, (text) => {
        said.push(text)
        chain.stdin.end()
      })
      assert.deepStrictEqual(said, ["The last sandbox was killed. Waiting for what it left running..."])
      assert.match(report, /^🧹 Deleted /)
      assert.isFalse(existsSync(dataDir))
    })
  )
})
