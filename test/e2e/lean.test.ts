import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { addProductionPackages, install } from "./installation.ts"
import { start, TIMEOUT_MS } from "./support.ts"

/** Without the option a link to a package would lead back to where all packages are. */
const NODE = ["--preserve-symlinks", "--preserve-symlinks-main", "--import", "./dist/guard.js", "dist/main.js"]

describe("a lean install", () => {
  it.live(
    "has all that the executor needs, and says what the local network lacks",
    () =>
      Effect.gen(function* () {
        const directory = yield* install
        yield* addProductionPackages(directory)
        assert.isFalse(existsSync(join(directory, "node_modules/@electric-sql")))
        const run = Effect.fnUntraced(function* (env: Readonly<Record<string, string>>) {
          const executor = yield* start({ args: NODE, cwd: directory, env })
          return { ...(yield* executor.ended), ...executor.said }
        })

        const deployed = yield* run({ NETWORK: "base-sepolia" })
        assert.deepStrictEqual([deployed.code, deployed.stdout], [78, ""])
        assert.deepStrictEqual(
          deployed.stderr.split("\n").map((line) => line.replace(/ is not set.*/, "")),
          [
            "The settings do not let the executor start:",
            "  - DATABASE_URL",
            "  - AGENT_ENCRYPTION_KEY",
            "Every setting is described in .env.example.",
            ""
          ]
        )

        const local = yield* run({ NETWORK: "local" })
        assert.deepStrictEqual([local.code, local.stderr], [78, ""])
        assert.match(local.stdout, /cannot go on: NETWORK=local needs the sandbox, .* lean install .* Run npm ci/)
        assert.strictEqual(local.stdout.trimEnd().split("\n").length, 1)
      }),
    TIMEOUT_MS
  )
})
