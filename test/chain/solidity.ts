import { readFileSync } from "node:fs"
import { createRequire } from "node:module"

interface Compiled {
  readonly errors?: ReadonlyArray<{ readonly formattedMessage: string }>
  readonly contracts: Record<
    string,
    Record<string, { readonly evm: { readonly bytecode: { readonly object: string } } }>
  >
}

/** The creation code of each contract of a file in this folder, by name. */
export const compiled = (file: string): ReadonlyMap<string, `0x${string}`> => {
  const solc = createRequire(import.meta.url)("solc") as { compile(input: string): string }
  const content = readFileSync(new URL(file, import.meta.url), "utf8")
  const input = {
    language: "Solidity",
    sources: { [file]: { content } },
    settings: { evmVersion: "paris", outputSelection: { "*": { "*": ["evm.bytecode.object"] } } }
  }
  const { errors = [], contracts }: Compiled = JSON.parse(solc.compile(JSON.stringify(input)))
  if (errors.length > 0) throw new Error(errors.map((error) => error.formattedMessage).join("\n"))
  return new Map(Object.entries(contracts[file] ?? {}).map(([name, { evm }]) => [name, `0x${evm.bytecode.object}`]))
}
