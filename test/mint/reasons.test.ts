import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { type Whose, whoseIs } from "../../src/mint/reasons.ts"
import recorded from "./reasons/recorded.json" with { type: "json" }

/** Every code that the installed packages can give as the reason of a refusal, read from their code. */
const installed = (): ReadonlyArray<string> => {
  const files = globSync("node_modules/@x402/{core,evm,hono}/dist/esm/**/*.mjs")
  const texts = files.map((file) => readFileSync(file, "utf8"))
  const forms = [
    /(?:errorReason|invalidReason|reason): *["`]([a-z0-9]+(?:_[a-z0-9]+)+)["`]/g,
    /(?:var|const) Err[A-Za-z0-9]* = "([a-z0-9_]+)"/g,
    /= "((?:invalid|permit2|upto|eip|erc20|unsupported|insufficient|smart_wallet|settle)[a-z0-9]*_[a-z0-9_]+)"/g
  ]
  return [
    ...new Set(texts.flatMap((text) => forms.flatMap((form) => [...text.matchAll(form)].map(([, code = ""]) => code))))
  ]
}

describe("whose doing a refusal is, is known of every reason", () => {
  it("that the installed packages can give", () => {
    const codes = installed()
    assert.isAbove(codes.length, 80)
    assert.include(codes, "invalid_exact_evm_signature")
    assert.deepStrictEqual(
      codes.filter((code) => whoseIs(code) === undefined),
      []
    )
  })

  for (const [version, reasons] of Object.entries(recorded)) {
    it(`that ${version} can give`, () => {
      assert.deepStrictEqual(
        reasons.filter((reason) => whoseIs(reason) === undefined),
        []
      )
    })
  }
})

describe("a refusal is the doing of", () => {
  const cases: ReadonlyArray<readonly [Whose | undefined, string]> = [
    ["wallet", "insufficient_funds"],
    ["wallet", "Failed to verify payment: insufficient_funds"],
    ["wallet", "Payment verification failed: insufficient balance."],
    ["wallet", "invalid_exact_evm_payload_signature"],
    ["wallet", "Payment verification failed: EVM authorization signature mismatch."],
    ["ours", "invalid_payload"],
    ["ours", "Failed to verify payment: invalid_payload"],
    ["ours", "invalid_exact_evm_payload_authorization_valid_before"],
    ["ours", "Payment verification failed: EVM authorization has expired."],
    ["ours", "No matching payment requirements"],
    ["ours", "Unable to find matching payment requirements"],
    ["environment", "Failed to verify payment: 500 Internal Server Error"],
    ["environment", "Failed to settle payment: insufficient_funds"],
    ["environment", `Unexpected token '<', "<html>"... is not valid JSON`],
    ["environment", "Unexpected end of JSON input"],
    ["environment", `Facilitator verify failed (503): {"error":"invalid_payload"}`],
    ["environment", "Facilitator settle request timed out after 90000ms"],
    ["environment", "Settlement failed: fetch failed"],
    ["environment", "Settlement error: Failed to settle payment: 500 Internal Server Error"],
    ["environment", "settlement_pending"],
    ["environment", "invalid_exact_evm_nonce_already_used"],
    ["environment", "Payment verification failed."],
    ["environment", "An internal payment error occurred."],
    ["order", "Insufficient remaining supply"],
    [undefined, "kyt_provider_score"],
    [undefined, "quantity must be 1 to 10"],
    [undefined, ""]
  ]
  it.each(cases)("%s: %s", (whose, words) => assert.strictEqual(whoseIs(words), whose))
})
