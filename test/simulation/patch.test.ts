import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { patch } from "./mutant.ts"
import { MUTATIONS } from "./mutations.ts"

describe("a mutation", () => {
  it("still finds the line that it changes", () => {
    for (const mutation of MUTATIONS) {
      const source = readFileSync(mutation.file, "utf8")
      assert.notStrictEqual(patch(source, mutation), source, mutation.name)
    }
  })

  it("whose line is not there, or there twice, is an error", () => {
    const mutation = { name: "some", file: "some.ts", find: "a", replace: "b", withinSeeds: 1 }
    assert.throws(() => patch("c", mutation), /0 times/)
    assert.throws(() => patch("a a", mutation), /2 times/)
  })
})
