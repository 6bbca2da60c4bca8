import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { builtinModules } from "node:module"
import { dirname, join } from "node:path"
import packageJson from "../../package.json" with { type: "json" }
import { install } from "./installation.ts"
import { TIMEOUT_MS } from "./support.ts"

/** What a file of the bundle imports before it runs: `import … from "…"` and `import "…"`. */
const importsOf = (file: string): ReadonlyArray<string> =>
  [...readFileSync(file, "utf8").matchAll(/^(?:import|export)\b[^;'"]*?(?:from )?"([^"]+)"/gm)].map(
    ([, from = ""]) => from
  )

/** What is imported when it is asked for. */
const lazyImportsOf = (file: string): ReadonlyArray<string> =>
  [...readFileSync(file, "utf8").matchAll(/\bimport\("(\.[^"]+)"\)/g)].map(([, from = ""]) => from)

/** All files that are loaded with these, and what else they import. */
const loadedWith = (entries: ReadonlyArray<string>) => {
  const files = new Set<string>()
  const others = new Set<string>()
  const load = (file: string): void => {
    if (files.has(file)) return
    files.add(file)
    for (const from of importsOf(file)) {
      if (from.startsWith(".")) load(join(dirname(file), from))
      else others.add(from)
    }
  }
  for (const entry of entries) load(entry)
  return {
    files: [...files],
    others: [...others],
    text: [...files].map((file) => readFileSync(file, "utf8")).join("\n")
  }
}

/** Words of the sandbox, the cluster, the commands and the script of the API's reference. */
const LATER = ["🏖️ Local network", "ai_agent_cluster", "What a person asks and decides", "Minified by jsDelivr"]

const has = (dist: string, words: string) => (name: string) =>
  readFileSync(join(dist, "chunks", name), "utf8").includes(words)

describe("the bundle", () => {
  it.live(
    "loads at a start what every executor needs: no package, no sandbox, no cluster, no command and no reference",
    () =>
      Effect.gen(function* () {
        const dist = join(yield* install, "dist")
        const main = join(dist, "main.js")
        const start = loadedWith([main, ...lazyImportsOf(main).map((from) => join(dist, from))])
        assert.include(start.text, "🚀 Starting AI Mint Executor...", "it is the executor")
        const packages = start.others.filter((from) => !from.startsWith("node:") && !builtinModules.includes(from))
        assert.deepStrictEqual(packages, [])
        for (const words of LATER) {
          assert.isFalse(start.text.includes(words), words)
          assert.isTrue(readdirSync(join(dist, "chunks")).some(has(dist, words)), words)
        }
      }),
    TIMEOUT_MS
  )

  it.live(
    "has the page, and the licences of the packages in it",
    () =>
      Effect.gen(function* () {
        const dist = join(yield* install, "dist")
        assert.isTrue(existsSync(join(dist, "page/main.js")))
        const licences = readFileSync(join(dist, "LICENSES"), "utf8")
        for (const [name, version] of Object.entries(packageJson.dependencies))
          assert.strictEqual(licences.includes(`${name} ${version}\n\n`), name !== "node", name)
        for (const name of Object.keys(packageJson.devDependencies)) assert.notInclude(licences, `\n${name} `)
      }),
    TIMEOUT_MS
  )
})
