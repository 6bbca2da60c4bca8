import { assert, describe, it } from "@effect/vitest"
import { withoutEcho, withoutSent } from "../../src/mint/echo.ts"
import { base64, payment } from "./fixtures.ts"

const SIGNATURE = payment.signature.slice(2)
const HEADER = base64({ x402Version: 2, payload: { signature: payment.signature } })
const SENT = [SIGNATURE, HEADER]

const inPieces = (text: string, size: number, between: string) =>
  (text.match(new RegExp(`.{1,${size}}`, "g")) ?? []).join(between)

/** The longest part of `sent` that is in the text, with everything but letters and digits left out. */
const longestOf = (text: string, sent: string): number => {
  const compact = text.replaceAll(/[^A-Za-z0-9+/=]/g, "").toLowerCase()
  let longest = 0
  for (let from = 0; from < sent.length; from++) {
    while (compact.includes(sent.slice(from, from + longest + 1).toLowerCase()) && from + longest < sent.length)
      longest++
  }
  return longest
}

describe("a server that echoes the payment", () => {
  for (const size of [1, 2, 4, 8, 10, 32, 63]) {
    for (const between of [" ", "-", ", ", "\n", "…", " | "]) {
      it(`in pieces of ${size} with ${JSON.stringify(between)} between them says nothing of it`, () => {
        for (const sent of [SIGNATURE, SIGNATURE.toUpperCase(), HEADER]) {
          const said = withoutSent(`bad payment ${inPieces(sent, size, between)}: refused`, SENT)
          assert.isBelow(longestOf(said, sent), 12, said)
          assert.match(said, /^bad payment .*refused$/s)
        }
      })
    }
  }

  it("keeps its own words", () => {
    for (const reason of [
      "mint server answered 409: sold out",
      "invalid_exact_evm_payload_authorization_value_mismatch",
      "insufficient_funds: 0x7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c has 1000000",
      "Нет денег… попробуйте позже"
    ]) {
      assert.strictEqual(withoutSent(reason, SENT), reason)
    }
    assert.deepStrictEqual(withoutEcho({ _tag: "Refused", reason: `no ${SIGNATURE.slice(0, 30)}` }, SENT), {
      _tag: "Refused",
      reason: "no …"
    })
  })
})
