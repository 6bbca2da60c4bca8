import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

const TALKATIVE = fileURLToPath(new URL("programs/talkative.ts", import.meta.url))

interface End {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program that logs a lot; `readerLeaves` closes its stdout after the first piece, as `head` does. */
const run = (options: { readonly readerLeaves: boolean }): Effect.Effect<End> =>
  Effect.callback((resume) => {
    const child = spawn(process.execPath, [TALKATIVE], { stdio: ["ignore", "pipe", "pipe"] })
    let [stdout, stderr] = ["", ""]
    child.stdout.on("data", (piece) => {
      stdout += String(piece)
      if (options.readerLeaves) child.stdout.destroy()
    })
    child.stderr.on("data", (piece) => {
      stderr += String(piece)
    })
    child.on("close", (code) => resume(Effect.succeed({ code, stdout, stderr })))
    return Effect.sync(() => child.kill())
  })

describe("the log on stdout", () => {
  it.live("is complete when the program ends", () =>
    Effect.gen(function* () {
      const { code, stdout, stderr } = yield* run({ readerLeaves: false })
      const lines = stdout.trimEnd().split("\n")
      assert.strictEqual(stderr, "finished\n")
      assert.strictEqual(code, 0)
      assert.match(lines[0] ?? "", /^\[[-\dT:.]+Z\] \[INFO\] line 0$/)
      assert.match(lines.at(-1) ?? "", /line 4999$/)
    })
  )

  it.live("may lose its reader without ending the program", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* run({ readerLeaves: true })
      assert.strictEqual(stderr, "finished\n")
      assert.strictEqual(code, 0)
    })
  )
})
