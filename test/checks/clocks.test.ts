import { assert, describe, it } from "@effect/vitest"
import { clocksFinding } from "../../src/checks/clocks.ts"
import { codeFinding } from "../../src/checks/chain.ts"

describe("what the doctor says of clocks", () => {
  it("is well where chain and database are less than 30 seconds apart", () => {
    assert.deepStrictEqual(
      clocksFinding(20_000, -10_000).map(({ level }) => level),
      ["ok"]
    )
    assert.deepStrictEqual(clocksFinding(undefined, 0), [])
  })

  it("names a difference that neither has from this machine alone", () => {
    const [finding] = clocksFinding(25_000, 20_000)
    assert.strictEqual(finding?.level, "warn")
    assert.include(finding?.detail, "the database's is 45s ahead of the chain's")
    assert.include(clocksFinding(-120_000, 0)[0]?.detail, "2m behind the chain's")
  })
})

describe("what the doctor says of the code behind USDC", () => {
  it("compares it with the code that is noted", () => {
    assert.deepStrictEqual(codeFinding("0xold", undefined), [])
    assert.include(codeFinding(undefined, "0xold")[0]?.detail, "none is noted yet")
    assert.include(codeFinding("0xold", "0xold")[0]?.detail, "as noted")
    const [finding] = codeFinding("0xold", "0xnew")
    assert.strictEqual(finding?.level, "warn")
    assert.include(finding?.detail, "runs the code at 0xnew, and what is noted is 0xold")
    assert.include(finding?.remedy, "ai-mint resume")
  })
})
