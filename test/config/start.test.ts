import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const START = fileURLToPath(new URL("programs/start.ts", import.meta.url))
const GUARD = new URL("../../src/guard.js", import.meta.url).href

/** Starts a process with these settings in an empty directory with this `.env`. */
const start = (env: Record<string, string>, dotEnv?: string) => {
  const directory = mkdtempSync(join(tmpdir(), "settings-"))
  try {
    if (dotEnv !== undefined) writeFileSync(join(directory, ".env"), dotEnv)
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", GUARD, START], {
      cwd: directory,
      env,
      encoding: "utf8"
    })
    return { status, stdout, stderr }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

describe("a process that starts", () => {
  it("reads .env of its working directory", () => {
    assert.deepStrictEqual(start({}, "NETWORK=local\n"), { status: 0, stdout: "local\n", stderr: "" })
  })

  it("ends with code 78 and nothing but the list of what is wrong, when something is", () => {
    const { status, stdout, stderr } = start({ NODE_ENV: "production" }, "MAX_BATCH_SIZE=lots\n")
    assert.strictEqual(status, 78)
    assert.strictEqual(stdout, "")
    assert.deepStrictEqual(stderr.trimEnd().split("\n"), [
      "The settings do not let the executor start:",
      "  - NETWORK is not set: with NODE_ENV=production it must be, even if it is local",
      "  - DATABASE_URL is not set: it may be left out on NETWORK=local only",
      "  - AGENT_ENCRYPTION_KEY is not set: it may be left out on NETWORK=local only",
      "  - MAX_BATCH_SIZE: expected a whole number from 1 to 100",
      "Every setting is described in .env.example."
    ])
  })
})
