import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import multicall3 from "../../src/sandbox/contracts/Multicall3.json" with { type: "json" }
import { ARTIFACT, compile, render } from "../../src/sandbox/contracts/compile.ts"

describe("the contracts that are committed in binary", () => {
  it("are what MintToken.sol compiles to", () => {
    assert.strictEqual(readFileSync(ARTIFACT, "utf8"), render(compile()))
  })

  it("are the Multicall3 that viem ships", () => {
    // viem does not export it, so the file is read as text.
    const viem = dirname(createRequire(import.meta.url).resolve("viem/package.json"))
    const shipped = readFileSync(join(viem, "constants/contracts.ts"), "utf8")
    assert.include(shipped, multicall3.deployedBytecode.slice(2))
  })
})
