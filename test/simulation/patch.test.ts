import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { SQL_MUTATIONS } from "../deep/sqlMutations.ts"
import { MUTATIONS, patch } from "./mutations.ts"

describe("a mutation", () => {
  it("still finds every place that it changes", () => {
    for (const { name, patches } of [...MUTATIONS, ...SQL_MUTATIONS]) {
      for (const [file, ofFile] of Map.groupBy(patches, (one) => one.file)) {
        const source = readFileSync(file, "utf8")
        assert.notStrictEqual(ofFile.reduce(patch, source), source, name)
      }
    }
  })

  it("whose place is not there, or there twice, is an error", () => {
    const mutation = { file: "some.ts", find: "a", replace: "b" }
    assert.throws(() => patch("c", mutation), /0 times/)
    assert.throws(() => patch("a a", mutation), /2 times/)
  })
})
