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

/** Pretends, before anything else is loaded, that this is a Node of long ago. */
const OLD_NODE = "data:text/javascript,Object.defineProperty(process,'versions',{value:{node:'20.20.2'}})"

describe("a process that starts", () => {
  it("says in one line that its Node is too old, before anything else", () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", OLD_NODE, "--import", GUARD, START], {
      env: { NETWORK: "ropsten" },
      encoding: "utf8"
    })
    assert.deepStrictEqual([status, stdout], [1, ""])
    assert.strictEqual(
      stderr,
      "AI Mint Executor needs Node 24 or newer, and this is Node 20.20.2. " +
        "The right one comes with the packages: run npm ci, and if that leaves none in place, npm rebuild node.\n"
    )
  })

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
