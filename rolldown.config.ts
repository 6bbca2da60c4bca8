import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { defineConfig, type Plugin } from "rolldown"

interface Manifest {
  readonly name: string
  readonly version: string
  readonly license?: string
  readonly devDependencies?: Readonly<Record<string, string>>
}

const manifestIn = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))

/** What only the sandbox imports, and a lean install does not have. */
const NOT_BUNDLED = Object.keys(manifestIn(import.meta.dirname).devDependencies ?? {})

/** The guard stands beside `main.js` as a file of its own: Node is given it before everything else. */
const guard: Plugin = {
  name: "guard",
  resolveId: (id) => (id.endsWith("/guard.js") ? { id, external: true } : undefined),
  generateBundle() {
    this.emitFile({ type: "asset", fileName: "guard.js", source: readFileSync("src/guard.js") })
  }
}

/** `…/node_modules/effect` of a file in it. */
const PACKAGE = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/

const licenceOf = (folder: string): string => {
  const { name, version, license } = manifestIn(folder)
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
  const text = file === undefined ? `${license}` : readFileSync(join(folder, file), "utf8").trim()
  return `${name} ${version}\n\n${text}\n`
}

/** The licences ask that their text goes with every copy, and the bundle is one. */
const licences: Plugin = {
  name: "licences",
  generateBundle(_options, bundle) {
    const files = Object.values(bundle).flatMap((part) => (part.type === "chunk" ? part.moduleIds : []))
    const folders = new Set(files.flatMap((file) => PACKAGE.exec(file.replaceAll("\\", "/"))?.[0] ?? []))
    const source = [...folders].map(licenceOf).toSorted().join(`\n${"-".repeat(80)}\n\n`)
    this.emitFile({ type: "asset", fileName: "LICENSES", source })
  }
}

/**
 * What `npm run build` makes of `src/`, but for the page: few files instead of a thousand modules, and of the packages what
 * is used. What is imported when it is asked for stays a file of its own. Names and lines stay readable, as stacks in the log
 * show them: source maps would cost every start 80 ms of processor time, and 20 MB.
 */
export default defineConfig({
  input: { main: "src/main.ts", "cli/main": "src/cli/main.ts" },
  platform: "node",
  external: (id) => NOT_BUNDLED.some((name) => id === name || id.startsWith(`${name}/`)),
  plugins: [guard, licences],
  // A folder below `dist`, as the rooms are below `src`: `../page/` and `../../package.json` lead to the same.
  output: { dir: "dist", chunkFileNames: "chunks/[name].js", comments: { jsdoc: false }, cleanDir: true }
})
