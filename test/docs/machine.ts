import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { addProductionPackages, install } from "../e2e/installation.ts"
import { machineNode, type Outcome, SECRET_PARTS, SECRETS, TOO_OLD, type } from "../e2e/oldNode.ts"
import { closedPort, ROOT } from "../e2e/support.ts"
import type { Lie, Place } from "./Doc.ts"

/** The oldest Node that README allows to be on a machine, and the one that the code needs. */
const OLDEST_MAJOR = 20
const NEEDED_MAJOR = 24

/** A command as it is documented, and where. */
export interface Documented extends Place {
  readonly argv: ReadonlyArray<string>
}

const quoted = (word: string): string => `'${word.replaceAll("'", String.raw`'\''`)}'`

/** What no command may leave an operator with, on a machine where nothing answers and whose settings are full of secrets. */
const wrongWith = ({ code, stdout, stderr }: Outcome): string | undefined => {
  const all = stdout + stderr
  const broken = /SyntaxError|ERR_\w+|\n +at .*|Invalid regular expression/.exec(all)
  if (broken !== null) return broken[0].trim()
  const secret = SECRET_PARTS.find((part) => all.includes(part))
  if (secret !== undefined) return `it prints a secret, or the pattern of one: ${secret}`
  if (code === null) return "it does not end"
  if (code !== 0 && all.trim() === "") return `it ends with code ${code} and no word`
  return code === 0 || code === 1 || code === 78
    ? undefined
    : `it ends with code ${code}: ${stderr.split("\n", 1)[0] ?? ""}`
}

/** Each command, typed as README has it on a lean install, with the Node of the machine. */
const wrongCommands = (
  directory: string,
  env: Readonly<Record<string, string>>,
  documented: ReadonlyArray<Documented>
) =>
  [...Map.groupBy(documented, ({ argv }) => argv.join(" ")).values()].flatMap((all): ReadonlyArray<Lie> => {
    const line = `node dist/cli/main.js ${(all[0]?.argv ?? []).map(quoted).join(" ")}`
    const what = wrongWith(type(line, directory, env))
    return what === undefined ? [] : all.map(({ file, line: at }) => ({ file, line: at, what: `${line}: ${what}` }))
  })

/**
 * Each script, in a shell that has no other Node than that of the machine, as where the packages brought none: the guard
 * says in one line what to do, before anything else is loaded. Commands of `ai-mint` go on by themselves.
 */
const wrongScripts = (
  scripts: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>>,
  major: number
) =>
  Object.entries(scripts).flatMap(([name, script]): ReadonlyArray<Lie> => {
    if (!/\bnode /.test(script) || name === "ai-mint" || major >= NEEDED_MAJOR) return []
    const lie = (what: string): ReadonlyArray<Lie> => [
      { file: "package.json", line: 0, what: `npm run ${name}: ${what}` }
    ]
    const nodes = script.split(/&&/).filter((part) => /\bnode /.test(part))
    if (nodes.some((part) => !part.includes("--import ./src/guard.js"))) return lie("it starts without the guard")
    // What comes before is npm's, which runs it again with the Node of the packages.
    const outcome = type(`${nodes[0] ?? ""} `.trim(), ROOT, env)
    const what = wrongWith(outcome)
    if (what !== undefined) return lie(what)
    return TOO_OLD.test(outcome.stderr) && outcome.stdout === "" ? [] : lie(`it says ${JSON.stringify(outcome.stderr)}`)
  })

/** What is documented to be typed, on a machine with its own, older Node. */
export const liesOfMachine = Effect.fnUntraced(function* (
  documented: ReadonlyArray<Documented>,
  scripts: Readonly<Record<string, string>>
) {
  const { major } = machineNode()
  if (major < OLDEST_MAJOR) {
    const what = `the machine has ${major === 0 ? "no Node" : `Node ${major}`}, and README asks for ${OLDEST_MAJOR} or newer`
    return [{ file: "README.md", line: 0, what }] satisfies ReadonlyArray<Lie>
  }
  const directory = yield* install
  yield* addProductionPackages(directory)
  const env = { ...SECRETS, NETWORK: "base-sepolia", OPS_PORT: String(yield* closedPort) }
  // Without settings in the environment they come from `.env`, as where an operator types.
  const lines = Object.entries(env).map(([key, value]) => `${key}=${value}\n`)
  writeFileSync(join(directory, ".env"), lines.join(""))
  return [...wrongCommands(directory, {}, documented), ...wrongScripts(scripts, env, major)]
}, Effect.scoped)
