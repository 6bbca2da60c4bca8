import { registerHooks } from "node:module"
import { pathToFileURL } from "node:url"
import { resolve } from "node:path"
import { type Mutation, MUTATIONS, type Patch, patch } from "./mutations.ts"

// Loaded before everything else (`node --import ./test/simulation/mutant.ts …`): production code gets the mistake that
// `--mutation` names, as a text, when the simulator loads the file.

const nameOf = (args: ReadonlyArray<string>): string | undefined => {
  const index = args.indexOf("--mutation")
  return index < 0 ? undefined : args[index + 1]
}

const name = nameOf(process.argv)

/** The mistake that this process makes. */
export const mutation: Mutation | undefined = MUTATIONS.find((candidate) => candidate.name === name)

const patched = new Set<Patch>()

/** Whether every file that the mistake is in was loaded at all. */
export const wasPatched = (): boolean => mutation === undefined || patched.size === mutation.patches.length

if (name !== undefined && mutation === undefined) throw new Error(`there is no mutation ${name}`)

if (mutation !== undefined) {
  const byUrl = Map.groupBy(mutation.patches, ({ file }) => pathToFileURL(resolve(file)).href)
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context)
      const patches = byUrl.get(url)
      if (patches === undefined) return loaded
      for (const one of patches) patched.add(one)
      return { ...loaded, source: patches.reduce(patch, String(loaded.source)) }
    }
  })
}
