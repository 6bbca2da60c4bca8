import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { bodyWords, cutReason, plain, REASON_LENGTH_MAX, classifyStatus, strainOf } from "../../src/mint/reply.ts"
import { base64, payment, reply } from "./fixtures.ts"

describe("what another program says, made fit for a log line and a column", () => {
  it.prop("is one line without control characters, whatever it was", [Schema.String], ([text]) => {
    assert.notMatch(plain(text), /[\p{C}\u2028\u2029\r\n\t]/u)
  })

  it.prop("stays within its bound and never ends in half a character", [Schema.String], ([text]) => {
    const kept = cutReason(plain(`${text} `.repeat(40)))
    assert.isAtMost(kept.length, REASON_LENGTH_MAX)
    assert.isTrue(kept.isWellFormed())
  })

  it("does not cut a character that lies across the bound", () => {
    assert.strictEqual(cutReason(`${"a".repeat(REASON_LENGTH_MAX - 2)}🪙🪙`), `${"a".repeat(REASON_LENGTH_MAX - 2)}…`)
  })

  it("turns colours, bells, zero bytes and right-to-left overrides into blanks", () => {
    assert.strictEqual(plain("\u001b[31mno\u0000\u0007 \u202Efunds\r\n left"), "[31mno funds left")
  })

  it("holds no signature, no half of one and no payment header that a server echoes", () => {
    const { signature } = payment
    const [r, s] = [signature.slice(2, 66), signature.slice(66, 130)]
    const echo = plain(`bad ${signature} ${r} 0x${s} ${base64({ payment: { signature } })} end`)
    assert.strictEqual(echo, "bad … … … … end")
  })

  it("keeps the error codes of x402 whole", () => {
    const code = "invalid_exact_evm_payload_authorization_value_mismatch"
    assert.strictEqual(plain(code), code)
  })
})

describe("the reason in a body", () => {
  const cases: ReadonlyArray<readonly [body: unknown, words: string | undefined]> = [
    [{ error: "sold out" }, "sold out"],
    [{ error: { message: "sold out", code: 7 } }, "sold out"],
    [{ success: false, message: "sold out" }, "sold out"],
    [{ error: "", reason: "sold out" }, "sold out"],
    [{ detail: "sold out" }, "sold out"],
    ["sold out", "sold out"],
    ['"sold out"', "sold out"],
    ["<html><h1>502 Bad Gateway</h1></html>", undefined],
    ["", undefined],
    [{}, undefined],
    [null, undefined],
    [42, undefined],
    [["sold out"], undefined],
    [{ error: { error: { error: "too deep" } } }, undefined]
  ]
  it.each(cases)("of %j is %j", (body, words) => {
    assert.strictEqual(bodyWords(reply(400, {}, body)), words)
  })
})

describe("a status", () => {
  it.each([
    [200, "Done"],
    [299, "Done"],
    [302, "Later"],
    [400, "No"],
    [402, "No"],
    [408, "Later"],
    [425, "Later"],
    [429, "Later"],
    [499, "No"],
    [500, "Later"],
    [503, "Later"],
    [101, "Later"]
  ] as const)("%i is %s", (status, weight) => {
    assert.strictEqual(classifyStatus(status), weight)
  })
})

describe("a server that has too much to do", () => {
  const NOW_MS = Date.parse("2026-01-01T00:00:00Z")
  const cases: ReadonlyArray<
    readonly [retryAfter: string | undefined, date: string | undefined, ms: number | undefined]
  > = [
    [undefined, undefined, undefined],
    ["120", undefined, 120_000],
    [" 0 ", undefined, 0],
    ["Thu, 01 Jan 2026 00:00:30 GMT", undefined, 30_000],
    ["Thu, 01 Jan 2026 00:00:30 GMT", "Thu, 01 Jan 2026 00:00:10 GMT", 20_000],
    ["Wed, 31 Dec 2025 23:59:00 GMT", undefined, 0],
    ["soon", undefined, undefined],
    ["-5", "", undefined],
    ["99999999999", undefined, undefined]
  ]
  it.each(cases)("with Retry-After %j, and %j as its date, wants to be left alone for %j ms", (after, date, ms) => {
    const headers = { ...(after !== undefined && { "retry-after": after }), ...(date !== undefined && { date }) }
    const expected = { trouble: "Overloaded", ...(ms !== undefined && { retryAfterMs: ms }) }
    assert.deepStrictEqual<unknown>(strainOf(reply(429, headers, ""), NOW_MS), expected)
  })

  it("is told by these statuses, and by no others", () => {
    const all = Array.from({ length: 600 }, (_, status) => status)
    const told = all.filter((status) => strainOf(reply(status, {}, ""), NOW_MS).trouble !== undefined)
    assert.deepStrictEqual(told, [429, 502, 503, 504, 520, 521, 522, 523, 524, 529])
  })
})
