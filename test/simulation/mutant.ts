import { registerHooks } from "node:module"
import { pathToFileURL } from "node:url"
import { resolve } from "node:path"
import { type Mutation, MUTATIONS } from "./mutations.ts"

// Loaded before everything else (`node --import ./test/simulation/mutant.ts …`): production code gets the mistake that
// `--mutation` names, as a text, when the simulator loads the file.

const nameOf = (args: ReadonlyArray<string>): string | undefined => {
  const index = args.indexOf("--mutation")
  return index < 0 ? undefined : args[index + 1]
}

const name = nameOf(process.argv)

/** The mistake that this process makes. */
export const mutation: Mutation | undefined = MUTATIONS.find((candidate) => candidate.name === name)

let isPatched = false

/** Whether the file with the mistake was loaded at all. */
export const wasPatched = (): boolean => isPatched

export const patch = (source: string, { file, find, replace }: Mutation): string => {
  const parts = source.split(find)
  if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times what is to be replaced: ${find}`)
  return parts.join(replace)
}

if (name !== undefined && mutation === undefined) throw new Error(`there is no mutation ${name}`)

if (mutation !== undefined) {
  const target = pathToFileURL(resolve(mutation.file)).href
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context)
      if (url !== target) return loaded
      isPatched = true
      return { ...loaded, source: patch(String(loaded.source), mutation) }
    }
  })
}
