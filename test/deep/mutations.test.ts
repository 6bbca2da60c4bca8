import { assert, describe, it } from "vitest"
import { MUTATIONS } from "../simulation/mutations.ts"
import { noticed } from "../simulation/noticed.ts"

describe("the simulation", () => {
  for (const mutation of MUTATIONS) {
    it(`notices where ${mutation.name}`, { timeout: 600_000 }, () => {
      const { seed, said } = noticed(mutation)
      assert.isDefined(seed, said)
    })
  }
})
