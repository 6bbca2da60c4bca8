import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { copyFileSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { eventually, ROOT, temporaryDirectory, TIMEOUT_MS, until } from "./support.ts"

/** The project, with a data directory of its own. */
const project = Effect.gen(function* () {
  const directory = yield* temporaryDirectory
  copyFileSync(join(ROOT, "package.json"), join(directory, "package.json"))
  for (const folder of ["src", "node_modules"]) symlinkSync(join(ROOT, folder), join(directory, folder))
  return directory
})

describe("npm start", () => {
  it.live(
    "that is told to stop stops the executor, and not only npm",
    () =>
      Effect.gen(function* () {
        const cwd = yield* project
        let said = ""
        const npm = spawn("npm", ["start"], { cwd, stdio: ["ignore", "pipe", "inherit"] })
        npm.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()))
        const tell = () => said
        yield* until(
          "the executor runs",
          Effect.sync(() => said.includes("Monitoring"))
        )
        npm.kill("SIGTERM")
        const code = yield* eventually(
          "npm has ended",
          Effect.sync(() => npm.exitCode ?? undefined),
          tell
        )
        assert.strictEqual(code, 0, said)
        assert.include(said, "👋 AI Mint Executor stopped")
      }).pipe(Effect.scoped),
    TIMEOUT_MS
  )
})
