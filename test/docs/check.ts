import { Effect } from "effect"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { ROOT } from "../e2e/support.ts"
import { type Given, isNotRun, mentionsIn, mentionsInSource, type Mention, variantsOf } from "./commands.ts"
import * as Database from "./database.ts"
import { type Doc, type Lie, parseLines, parseMarkdown, tellLie } from "./Doc.ts"
import * as Machine from "./machine.ts"
import * as Mentions from "./mentions.ts"
import * as Network from "./network.ts"
import { makeTables } from "../../src/runners/tables.ts"

// `npm run docs:check`: everything that README.md and docs/ say and that a machine can hold against the code, a migrated
// database, a running network and a machine with an older Node. Ends with code 1, and a line for each lie.

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8")

const filesIn = (folder: string, ending: string): ReadonlyArray<string> =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(ending) && existsSync(join(ROOT, folder, name)))
    .map((name) => `${folder}/${name}`)
    .toSorted()

const PAGES = ["README.md", ...filesIn("docs", ".md")]
const RULES = "docs/monitoring/alerts.yml"

const docs: ReadonlyArray<Doc> = [
  ...PAGES.map((file) => parseMarkdown(file, read(file))),
  ...[RULES, ...filesIn("docs/monitoring", ".json")].map((file) => parseLines(file, read(file)))
]

/** Where programs tell operators what to type. */
const SOURCES = [...filesIn("src/checks", ".ts"), ...filesIn("src/operator", ".ts"), ...filesIn("src/cli/words", ".ts")]

interface Package {
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

const pack = JSON.parse(read("package.json")) as Package

const code = filesIn("src", ".ts").map(read).join("\n")

/** What is written for this check proves nothing. */
const isNotOurs = (file: string): boolean => !file.startsWith("test/docs/")

const facts: Mentions.Facts = {
  exists: (path) => existsSync(join(ROOT, path)),
  read: (path) => (existsSync(join(ROOT, path)) ? read(path) : undefined),
  scripts: new Set(Object.keys(pack.scripts)),
  settings: new Set([...read(".env.example").matchAll(/^# ([A-Z][A-Z0-9_]*)=/gm)].map(([, key = ""]) => key)),
  code,
  said: [code, ...filesIn("test", ".ts").filter(isNotOurs).map(read)].join("\n"),
  alerts: new Set([...read(RULES).matchAll(/alert: (\w+)/g)].map(([, name = ""]) => name))
}

const RULES_OF_TEXT = [
  Mentions.wrongLinks,
  Mentions.wrongPaths,
  Mentions.wrongPages,
  Mentions.wrongScripts,
  Mentions.wrongSettings,
  Mentions.wrongAlerts
]

const named = (file: string): ReadonlyArray<Doc> => docs.filter((doc) => doc.file === file)

/** What can be held against files alone. */
const liesOfText = (): ReadonlyArray<Lie> => [
  ...docs.flatMap((doc) => RULES_OF_TEXT.flatMap((rule) => rule(doc, facts))),
  ...named("README.md").flatMap((doc) =>
    Mentions.wrongPackages(doc, { ...pack.dependencies, ...pack.devDependencies })
  ),
  ...named("docs/runbook.md").flatMap((doc) => [
    ...Mentions.untoldAlerts(doc, facts),
    ...Mentions.wrongQuotes(doc, facts)
  ])
]

const liesOfDatabase = Effect.gen(function* () {
  // Several executors have tables that one alone does not make.
  yield* makeTables
  const names = yield* Database.namesOf
  const statements = docs.flatMap(Mentions.statementsIn)
  const wrong = yield* Effect.forEach(statements, Database.wrongStatement)
  say(`${statements.length} SQL statements, ${names.size} names of the database`)
  return [...docs.flatMap((doc) => Mentions.wrongTables(doc, names)), ...wrong.flat()]
})

const mentions: ReadonlyArray<Mention> = [
  ...docs.flatMap(mentionsIn),
  ...SOURCES.flatMap((file) => mentionsInSource(file, read(file)))
]

const COMMANDS_AT_ONCE = 1

/** What each of them waits first: the API takes 30 changes from one address in a second. */
const PAUSE = "60 millis"

/** Carries out each command that anybody is told to type, once. */
const liesOfCommands = Effect.fnUntraced(function* (network: Network.Network) {
  const said = mentions.flatMap((mention) =>
    variantsOf(mention, network.given).map((argv) => ({ mention, argv, key: argv.join(" ") }))
  )
  const advised = (yield* Network.advice(network)).flatMap((text) => {
    const mention: Mention = { file: "what the executor advises", line: 0, text, as: "whole" }
    return variantsOf(mention, network.given).map((argv) => ({ mention, argv, key: argv.join(" ") }))
  })
  const all = Map.groupBy([...said, ...advised], ({ key }) => key)
  const wrong = yield* Effect.forEach(
    all.values(),
    ([first, ...rest]) =>
      first === undefined
        ? Effect.succeed([])
        : Effect.map(Effect.delay(Network.tryCommand(first.argv), PAUSE), (fault) =>
            fault === undefined
              ? []
              : [first, ...rest].map(({ mention: { file, line }, key }): Lie => {
                  return { file, line, what: `ai-mint ${key}: ${fault}` }
                })
          ),
    { concurrency: COMMANDS_AT_ONCE }
  )
  say(`${all.size} commands, named in ${said.length} places`)
  return wrong.flat()
})

const liesOfNetwork = Effect.gen(function* () {
  const network = yield* Network.startNetwork
  say("the local network runs")
  const routes = yield* Network.routesOf(network.url)
  const metrics = yield* Network.metricsOf(network.url, facts.code)
  const ofDatabase = yield* liesOfDatabase.pipe(Effect.provide(Database.layer(network.databaseUrl), { local: true }))
  const fault = yield* Network.tryScript()
  const requests = docs.flatMap(Mentions.requestsIn)
  say(`${requests.length} requests, ${Object.keys(routes).length} paths of the API`)
  return [
    ...docs.flatMap((doc) => Mentions.wrongRequests(doc, routes)),
    ...docs.flatMap((doc) => Mentions.wrongMetrics(doc, metrics)),
    ...ofDatabase,
    ...(fault === undefined ? [] : [{ file: "package.json", line: 0, what: `npm run ai-mint -- status: ${fault}` }]),
    ...(yield* liesOfCommands(network))
  ]
}).pipe(Effect.scoped)

/** `migrate` and the rest of them, with names that no order has: nothing answers on that machine. */
const NOBODY: Given = {
  pending: "abc12345",
  completed: "abc12345",
  wallet: `0x${"ab".repeat(20)}`,
  user: `0x${"cd".repeat(20)}`,
  token: `0x${"ef".repeat(20)}`
}

const liesOfMachine = Effect.gen(function* () {
  const documented = docs
    .flatMap(mentionsIn)
    .flatMap((mention) => variantsOf(mention, NOBODY).map((argv) => ({ ...mention, argv })))
    .filter(({ argv }) => !isNotRun(argv))
  say(`${new Set(documented.map(({ argv }) => argv.join(" "))).size} documented commands, with the Node of the machine`)
  return yield* Machine.liesOfMachine(documented, pack.scripts)
})

const say = (text: string): void => console.log(`   ${text}`)

const check = Effect.gen(function* () {
  console.log(
    `Held against the code: ${docs.map(({ file }) => file).join(", ")}, and ${SOURCES.length} files of sources`
  )
  const lies = [...liesOfText(), ...(yield* liesOfMachine), ...(yield* liesOfNetwork)]
  for (const lie of lies) console.error(`❌ ${tellLie(lie)}`)
  console.log(lies.length === 0 ? "✅ All of it is so" : `${lies.length} thing(s) are not so`)
  process.exitCode = lies.length === 0 ? 0 : 1
})

await Effect.runPromise(check)
