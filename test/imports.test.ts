import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve, sep } from "node:path"
import { fileURLToPath } from "node:url"
import packageJson from "../package.json" with { type: "json" }

const SRC = fileURLToPath(new URL("../src/", import.meta.url))

interface Import {
  /** As written: `../domain/Task.ts`, `effect`, `node:crypto`. */
  readonly from: string
  /** Whether it is `import(…)`, which happens when the line is reached and not before. */
  readonly dynamic: boolean
  /** Whether nothing of it is left at run time. */
  readonly typeOnly: boolean
}

/** The imports and re-exports of a module. Statements start a line here, as the formatter has it. */
const importsOf = (source: string): ReadonlyArray<Import> => {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "")
  const statements = [...code.matchAll(/^(?:import|export)\b(?:([^"'`;=]*?)\bfrom)?\s*"([^"\n]+)"/gm)]
  const calls = [...code.matchAll(/\bimport\(\s*"([^"\n]+)"/g)]
  return [
    ...statements.map(([, what = "", from = ""]) => ({ from, dynamic: false, typeOnly: /^\s*type\b/.test(what) })),
    ...calls.map(([, from = ""]) => ({ from, dynamic: true, typeOnly: false }))
  ]
}

interface Module {
  /** Below `src/`: `ledger/TaskRepo.ts`. */
  readonly path: string
  readonly room: string
  readonly source: string
  readonly imports: ReadonlyArray<Import>
}

const readModules = (): ReadonlyMap<string, Module> => {
  const paths = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((path) => /\.[jt]s$/.test(path))
  const modules = paths.map((name): Module => {
    const path = name.split(sep).join("/")
    const source = readFileSync(join(SRC, name), "utf8")
    return { path, room: path.includes("/") ? (path.split("/")[0] ?? "") : path, source, imports: importsOf(source) }
  })
  return new Map(modules.map((module) => [module.path, module]))
}

const modules = readModules()

/** The path below `src/` that an import leads to; undefined for a package. */
const target = (module: Module, from: string): string | undefined =>
  from.startsWith(".")
    ? relative(SRC, resolve(SRC, dirname(module.path), from))
        .split(sep)
        .join("/")
    : undefined

const SERVICE = /extends Context\.Service</

/** The rooms that have a contract beside one or more implementations of it. */
const CAPABILITIES = ["ledger", "chain", "mint", "executor", "runners"]

/** A contract declares a service and depends on nothing but Effect, the pure rooms and its like. */
const isContract = (path: string, asked: ReadonlyArray<string> = []): boolean => {
  const module = modules.get(path)
  return (
    module !== undefined &&
    CAPABILITIES.includes(module.room) &&
    SERVICE.test(module.source) &&
    module.imports.every(({ from }) => {
      const to = target(module, from)
      return to === undefined
        ? from === "effect"
        : /^(domain|config)\//.test(to) || (!asked.includes(to) && isContract(to, [...asked, path]))
    })
  )
}

/** Which rooms, and which single files of others, each room may look into. `contracts` are those of every capability. */
const MAY_IMPORT: Readonly<Record<string, ReadonlyArray<string>>> = {
  domain: [],
  config: ["domain"],
  ledger: ["domain", "config", "ops/gather.ts"],
  chain: ["domain", "config", "ops"],
  mint: ["domain", "config", "ops"],
  ops: ["domain", "config", "contracts"],
  runners: ["domain", "config", "ops", "ledger/Database.ts", "ledger/sql/failure.ts"],
  executor: ["domain", "config", "ops", "contracts"],
  proof: ["domain", "config", "ops", "contracts", "chain"],
  operator: ["domain", "config", "ops", "checks", "contracts", "proof"],
  api: ["domain", "config", "ops", "operator", "checks", "contracts", "proof"],
  checks: ["domain", "config", "ops", "contracts", "chain", "ledger", "mint", "runners", "sandbox"],
  cli: ["domain", "config", "ops", "operator", "checks", "contracts", "proof", "App.ts", "sandbox", "api", "guard.js"],
  sandbox: ["domain", "config", "ops", "contracts", "App.ts"],
  page: ["operator"],
  "guard.js": []
}

const MAY_IMPORT_ALL = ["App.ts", "main.ts"]

const isAllowed = (module: Module, to: string): boolean => {
  const room = modules.get(to)?.room ?? to
  if (MAY_IMPORT_ALL.includes(module.room) || room === module.room) return true
  const allowed = MAY_IMPORT[module.room] ?? []
  return allowed.includes(room) || allowed.includes(to) || (allowed.includes("contracts") && isContract(to))
}

const offences = (isOffence: (module: Module, imported: Import) => boolean): ReadonlyArray<string> =>
  [...modules.values()].flatMap((module) =>
    module.imports
      .filter((imported) => isOffence(module, imported))
      .map((imported) => `${module.path} imports ${target(module, imported.from) ?? imported.from}`)
  )

/** `@scope/name/part` and `name/part` without the part. */
const packageOf = (from: string): string => from.split("/", from.startsWith("@") ? 2 : 1).join("/")

const findCircle = (
  path: string,
  trail: ReadonlyArray<string>,
  done: Set<string>
): ReadonlyArray<string> | undefined => {
  if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path]
  if (done.has(path)) return undefined
  const module = modules.get(path)
  for (const { from, dynamic } of module?.imports ?? []) {
    const to = module === undefined || dynamic ? undefined : target(module, from)
    const circle = to === undefined ? undefined : findCircle(to, [...trail, path], done)
    if (circle !== undefined) return circle
  }
  done.add(path)
  return undefined
}

describe("the rooms of the house", () => {
  it("all have a rule", () => {
    const rooms = new Set([...modules.values()].map(({ room }) => room))
    assert.deepStrictEqual(
      [...rooms].filter((room) => !(room in MAY_IMPORT) && !MAY_IMPORT_ALL.includes(room)),
      []
    )
  })

  it("import in one direction only, and contracts rather than implementations", () => {
    const wrong = offences((module, { from }) => {
      const to = target(module, from)
      return to !== undefined && to.endsWith("s") && !isAllowed(module, to)
    })
    assert.deepStrictEqual(wrong, [])
  })

  it("have no circles", () => {
    const done = new Set<string>()
    const circles = [...modules.keys()].map((path) => findCircle(path, [], done))
    assert.isUndefined(circles.find((circle) => circle !== undefined)?.join(" → "))
  })

  it("have no barrels: what is imported is imported from where it is written", () => {
    const barrels = [...modules.values()].filter(
      ({ path, source }) => /(^|\/)index\.[jt]s$/.test(path) || /^export (?:type )?[{*][^=]*? from /m.test(source)
    )
    assert.deepStrictEqual(
      barrels.map(({ path }) => path),
      []
    )
  })

  it("name the file that they import, with its ending", () => {
    const wrong = offences((module, { from }) => {
      const to = target(module, from)
      return to !== undefined && !to.startsWith("..") && !to.endsWith(".json") && !modules.has(to)
    })
    assert.deepStrictEqual(wrong, [])
  })
})

describe("what runs in production", () => {
  it("reaches the sandbox only when it is asked for, so that it starts without the sandbox's packages", () => {
    const wrong = offences(
      (module, { from, dynamic, typeOnly }) =>
        module.room !== "sandbox" && target(module, from)?.startsWith("sandbox/") === true && !dynamic && !typeOnly
    )
    assert.deepStrictEqual(wrong, [])
  })

  it("loads what divides the wallets among several executors only where they are divided", () => {
    const cluster = ["runners/cluster.ts", "runners/tables.ts"]
    const wrong = offences(
      (module, { from, dynamic }) =>
        !cluster.includes(module.path) &&
        (from.startsWith("effect/cluster") || cluster.includes(target(module, from) ?? "")) &&
        !dynamic
    )
    assert.deepStrictEqual(wrong, [])
  })

  it("sends no other room to a browser: the page takes types from them, and nothing that runs", () => {
    const wrong = offences(
      (module, { from, typeOnly }) =>
        module.room === "page" && !typeOnly && target(module, from)?.startsWith("page/") !== true
    )
    assert.deepStrictEqual(wrong, [])
  })

  it("looks at the version of Node before it loads anything else", () => {
    for (const entry of ["main.ts", "cli/main.ts"]) {
      const module = modules.get(entry)
      assert.isDefined(module)
      const first = module.imports.filter(({ dynamic }) => !dynamic).map(({ from }) => target(module, from))
      assert.deepStrictEqual(first, ["guard.js"], entry)
    }
  })

  it("imports only packages that a lean install has", () => {
    const wrong = offences(
      (module, { from }) =>
        module.room !== "sandbox" &&
        !from.startsWith(".") &&
        !from.startsWith("node:") &&
        !(packageOf(from) in packageJson.dependencies)
    )
    assert.deepStrictEqual(wrong, [])
  })

  it("keeps the domain pure: no platform, no network, no database", () => {
    const wrong = offences(
      ({ room }, { from }) =>
        room === "domain" && !from.startsWith(".") && !["effect", "viem"].includes(packageOf(from))
    )
    assert.deepStrictEqual(wrong, [])
  })
})

describe("the reader of imports", () => {
  it("sees every form of them, and none in a comment", () => {
    const source = [
      'import { a } from "./a.ts"',
      "import {",
      "  type B,",
      "  b",
      '} from "./b.ts"',
      'import type { C } from "./c.ts"',
      'import * as D from "./d.ts"',
      'import "./e.ts"',
      'export { f } from "./f.ts"',
      'import json from "./g.json" with { type: "json" }',
      '// import { h } from "./h.ts"',
      '/** import { i } from "./i.ts" */',
      'export const lazy = () => import("./j.ts")',
      'export const text = "from nowhere"',
      'export class Service extends Context.Service<Service, {}>()("not/an/import") {}'
    ]
    assert.deepStrictEqual(
      importsOf(source.join("\n")).map(({ from, dynamic, typeOnly }) => [from, dynamic, typeOnly]),
      [
        ["./a.ts", false, false],
        ["./b.ts", false, false],
        ["./c.ts", false, true],
        ["./d.ts", false, false],
        ["./e.ts", false, false],
        ["./f.ts", false, false],
        ["./g.json", false, false],
        ["./j.ts", true, false]
      ]
    )
  })
})
