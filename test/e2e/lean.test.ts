import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { addProductionPackages, install } from "./installation.ts"
import { machineNode, SECRET_PARTS, SECRETS, TOO_OLD, type } from "./oldNode.ts"
import { closedPort, start, TIMEOUT_MS } from "./support.ts"

/** Without the option a link to a package would lead back to where all packages are. */
const NODE = ["--preserve-symlinks", "--preserve-symlinks-main", "--import", "./dist/guard.js", "dist/main.js"]

interface Typed {
  readonly line: string
  readonly code: number
  /** On stdout or stderr. */
  readonly says: RegExp
}

/** What README and runbook have an operator type on a lean install, and the scripts that are left there. */
const DOCUMENTED: ReadonlyArray<Typed> = [
  { line: "node dist/cli/main.js --help", code: 0, says: /What a person asks and decides/ },
  { line: "node dist/cli/main.js doctor", code: 1, says: /^❌ database +connects /m },
  { line: "node dist/cli/main.js status", code: 1, says: /No executor answers/ },
  { line: "node dist/cli/main.js migrate --dry-run", code: 1, says: /database/ },
  { line: "node dist/cli/main.js reconcile --direct", code: 1, says: /❌/ },
  { line: "node dist/cli/main.js retry abc12345", code: 2, says: /--why/ }
]

/** Types what is documented into a shell of the machine, whose own Node is an older one in CI. */
const carriesOutWhatIsDocumented = Effect.fnUntraced(function* (directory: string) {
  const { major } = machineNode()
  assert.isAbove(major, 0, "the machine has a Node of its own, which README asks for")
  const env = { ...SECRETS, NETWORK: "base-sepolia", OPS_PORT: String(yield* closedPort) }
  for (const { line, code, says } of DOCUMENTED) {
    const outcome = type(line, directory, env)
    const all = outcome.stdout + outcome.stderr
    assert.strictEqual(outcome.code, code, `${line}\n${all}`)
    assert.match(all, says, line)
    assert.notMatch(all, /SyntaxError|ERR_|\n +at /, line)
    for (const part of SECRET_PARTS) assert.notInclude(all, part, line)
  }
  const executor = type("node dist/main.js", directory, { NETWORK: "base-sepolia" })
  assert.strictEqual(executor.code, major < 24 ? 1 : 78)
  if (major < 24) assert.match(executor.stderr, TOO_OLD)
})

const saysWhatItLacks = Effect.fnUntraced(function* (directory: string) {
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
})

describe("a lean install", () => {
  it.live(
    "carries out the documented commands with the Node of the machine, prints no secret, and says what it lacks",
    () =>
      Effect.gen(function* () {
        const directory = yield* install
        yield* addProductionPackages(directory)
        assert.isFalse(existsSync(join(directory, "node_modules/@electric-sql")))
        yield* saysWhatItLacks(directory)
        yield* carriesOutWhatIsDocumented(directory)
      }),
    TIMEOUT_MS
  )
})
