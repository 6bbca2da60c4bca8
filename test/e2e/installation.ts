import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs"
import { dirname, join } from "node:path"
import { ROOT, start, temporaryDirectory } from "./support.ts"

/** Compiles as `npm run build` does, into a folder as an operator's: `dist`, the manifest, the file for pm2. */
export const install = Effect.gen(function* () {
  const directory = yield* temporaryDirectory
  // Types are checked elsewhere, and are most of the work.
  yield* compile("tsconfig.build.json", join(directory, "dist"), ["--noCheck"])
  const page = join(directory, "dist/page")
  yield* compile("src/page/tsconfig.build.json", page)
  const assets = readdirSync(join(ROOT, "src/page")).filter((name) => /\.(?:html|css|svg)$/.test(name))
  for (const name of assets) copyFileSync(join(ROOT, "src/page", name), join(page, name))
  for (const file of ["package.json", "ecosystem.config.cjs"]) copyFileSync(join(ROOT, file), join(directory, file))
  return directory
})

const compile = Effect.fnUntraced(function* (project: string, outDir: string, more: ReadonlyArray<string> = []) {
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc")
  const build = yield* start({ args: [tsc, "-p", join(ROOT, project), "--outDir", outDir, ...more], cwd: ROOT })
  assert.deepStrictEqual(yield* build.ended, { code: 0, signal: null }, build.said.stdout)
})

/** Every package, as `npm ci` leaves them. */
export const addAllPackages = (directory: string) =>
  Effect.sync(() => symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules")))

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>
}

/** The packages that the lockfile needs for production, as `npm prune --omit=dev` leaves them. */
export const addProductionPackages = (directory: string) =>
  Effect.sync(() => {
    const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as Lockfile
    // One inside another package comes with that one.
    const kept = Object.entries(packages).filter(
      ([path, { dev }]) => /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) && dev !== true
    )
    for (const [path] of kept) {
      mkdirSync(join(directory, dirname(path)), { recursive: true })
      symlinkSync(join(ROOT, path), join(directory, path))
    }
  })
