import { spawnSync } from "node:child_process"
import { assert, describe, inject, it } from "vitest"
import { SQL_MUTATIONS } from "./sqlMutations.ts"

const TESTS = [
  "test/ledger/TaskRepo.postgres.test.ts",
  "test/ledger/races.test.ts",
  "test/ledger/concurrency.test.ts",
  "test/ledger/together.test.ts"
]

/** Runs the tests of the ledger on the real database, with this mistake in its statements, up to the first that fails. */
const testsWith = (name: string, files: ReadonlyArray<string>) => {
  const args = ["node_modules/vitest/vitest.mjs", "run", "--config", "test/deep/mutation.config.ts", "--root", "."]
  const env = { ...process.env, MUTATION: name, TEST_DATABASE_URL: inject("postgresUrl"), NO_COLOR: "1" }
  return spawnSync(process.execPath, [...args, "--maxWorkers=1", "--bail=1", ...files], { encoding: "utf8", env })
}

describe("the tests of the ledger on a real database", () => {
  for (const { name, noticedBy } of SQL_MUTATIONS) {
    it(`notice where ${name}`, { timeout: 300_000 }, () => {
      const { stdout, stderr } = testsWith(name, noticedBy === undefined ? TESTS : [noticedBy])
      // A test that failed, and not a file that could not be loaded.
      assert.match(stdout, /Tests +[1-9]\d* failed/, stdout.slice(-2000) + stderr.slice(-2000))
    })
  }
})
