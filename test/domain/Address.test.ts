import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { Address, address, parse } from "../../src/domain/Address.ts"
import { between } from "./given.ts"

const LOWER = "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"

describe("an address", () => {
  it.each([LOWER, "0x833589fCD6eDb6E08f4c7C32D4f71b54bDA02913", LOWER.toUpperCase(), `  ${LOWER}\n`])(
    "is the same one as %j",
    (text) => {
      assert.strictEqual(parse(text), LOWER)
    }
  )

  it.each(["", "0x", LOWER.slice(2), LOWER.slice(0, -1), `${LOWER}0`, `0x${"g".repeat(40)}`, "vitalik.eth"])(
    "is not %j",
    (text) => {
      assert.isUndefined(parse(text))
      assert.throws(() => address(text), `not an address: ${text}`)
    }
  )

  it("is decoded in lower case only: what is stored inside has one form", () => {
    assert.isTrue(Schema.is(Address)(LOWER))
    assert.isFalse(Schema.is(Address)(LOWER.toUpperCase()))
  })

  const digits = Arbitrary.array(between(0, 15), { minLength: 40, maxLength: 40 })

  it.prop("is parsed to itself, and from any other case", [digits], ([drawn]) => {
    const one = `0x${drawn.map((digit) => digit.toString(16)).join("")}`
    assert.strictEqual(parse(one), one)
    assert.strictEqual(parse(one.toUpperCase()), one)
  })
})
