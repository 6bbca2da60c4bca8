import { resolve } from "node:path"
import type { Plugin } from "vite"
import { defineConfig } from "vitest/config"
import { database, rules } from "../../vitest.config.ts"
import { patch } from "../simulation/mutations.ts"
import { SQL_MUTATIONS } from "./sqlMutations.ts"

const mutation = SQL_MUTATIONS.find(({ name }) => name === process.env["MUTATION"])
if (mutation === undefined) throw new Error(`there is no mutation ${process.env["MUTATION"]}`)
const byPath = Map.groupBy(mutation.patches, ({ file }) => resolve(file))

/** Production code gets the mistake that `MUTATION` names when a test loads the file. */
const mistake: Plugin = {
  name: "mistake",
  enforce: "pre",
  transform: (source, id) => byPath.get(id)?.reduce(patch, source)
}

/** Tests of one process with a mistake in what they test. What is compiled so is kept for no other run. */
export default defineConfig({ test: { ...rules, ...database, fsModuleCache: false }, plugins: [mistake] })
