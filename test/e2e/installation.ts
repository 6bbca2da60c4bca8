import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs"
import { dirname, join } from "node:path"
import { ROOT, start, temporaryDirectory } from "./support.ts"

/** Builds as `npm run build` does, into a folder as an operator's: `dist`, the manifest, the file for pm2. */
export const install = Effect.gen(function* () {
  const directory = yield* temporaryDirectory
  const page = join(directory, "dist/page")
  yield* run("rolldown/bin/cli.mjs", "-c", join(ROOT, "rolldown.config.ts"), "--dir", join(directory, "dist"))
  yield* run("typescript/bin/tsc", "-p", join(ROOT, "src/page/tsconfig.build.json"), "--outDir", page)
  const assets = readdirSync(join(ROOT, "src/page")).filter((name) => /\.(?:html|css|svg)$/.test(name))
  for (const name of assets) copyFileSync(join(ROOT, "src/page", name), join(page, name))
  for (const file of ["package.json", "ecosystem.config.cjs"]) copyFileSync(join(ROOT, file), join(directory, file))
  return directory
})

const run = Effect.fnUntraced(function* (program: string, ...args: ReadonlyArray<string>) {
  const build = yield* start({ args: [join(ROOT, "node_modules", program), ...args], cwd: ROOT })
  assert.deepStrictEqual(yield* build.ended, { code: 0, signal: null }, build.said.stdout + build.said.stderr)
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
