import { readFileSync, realpathSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"

/**
 * Compiles the sandbox's own contract: `node src/sandbox/contracts/compile.ts` rewrites `MintToken.json`, which is
 * committed, so that the start needs no compiler.
 */

export interface Artifact {
  readonly compiler: string
  /** What a deployment runs, without the constructor's arguments. */
  readonly bytecode: `0x${string}`
}

const SOURCE = fileURLToPath(new URL("MintToken.sol", import.meta.url))
export const ARTIFACT = fileURLToPath(new URL("MintToken.json", import.meta.url))

const input = (source: string) => ({
  language: "Solidity",
  sources: { "MintToken.sol": { content: source } },
  settings: {
    optimizer: { enabled: true, runs: 200 },
    // Older than the fork that the sandbox's chain runs, so that the token also runs on other development chains.
    evmVersion: "paris",
    // Without the hash of the sources: the token's address follows from its code, and must outlive an edited comment.
    metadata: { bytecodeHash: "none" },
    outputSelection: { "MintToken.sol": { MintToken: ["evm.bytecode.object"] } }
  }
})

interface Output {
  readonly errors?: ReadonlyArray<{ readonly formattedMessage: string }>
  readonly contracts: {
    readonly "MintToken.sol": {
      readonly MintToken: { readonly evm: { readonly bytecode: { readonly object: string } } }
    }
  }
}

/** The artifact of `MintToken.sol` as it is. Throws on errors and on warnings. */
export const compile = (): Artifact => {
  // A CommonJS package of 9 MB without types.
  const solc = createRequire(import.meta.url)("solc") as { version(): string; compile(input: string): string }
  const output: Output = JSON.parse(solc.compile(JSON.stringify(input(readFileSync(SOURCE, "utf8")))))
  if (output.errors !== undefined) throw new Error(output.errors.map((error) => error.formattedMessage).join("\n"))
  const { bytecode } = output.contracts["MintToken.sol"].MintToken.evm
  return { compiler: `solc ${solc.version()}`, bytecode: `0x${bytecode.object}` }
}

export const render = (artifact: Artifact): string => `${JSON.stringify(artifact, undefined, 2)}\n`

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  writeFileSync(ARTIFACT, render(compile()))
}
