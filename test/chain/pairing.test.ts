import { assert, describe, it } from "@effect/vitest"
import { pairUses, type Payment, type Use } from "../../src/chain/pairing.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { account, bytes32 } from "./fakeChain.ts"

const [shop, friend] = [account(1), account(2)]

/** `U1` is the use of nonce 1, `T5` a transfer of 5 to the shop, `F5` one to a friend. In the order of the log. */
const pairsOf = (events: string, expected: Readonly<Record<number, number>> = {}): Readonly<Record<string, bigint>> => {
  const all = events.split(" ").map((event, logIndex) => ({ kind: event[0], number: Number(event.slice(1)), logIndex }))
  const uses = all.flatMap(({ kind, number, logIndex }): ReadonlyArray<Use> => {
    const value = expected[number]
    const signed = value === undefined ? undefined : { to: shop, value: usdc(BigInt(value)) }
    return kind === "U" ? [{ nonce: bytes32(number), logIndex, expected: signed }] : []
  })
  const payments = all.flatMap(({ kind, number, logIndex }): ReadonlyArray<Payment> =>
    kind === "U" ? [] : [{ to: kind === "T" ? shop : friend, value: usdc(BigInt(number)), logIndex }]
  )
  return Object.fromEntries([...pairUses(uses, payments)].map(([nonce, { value }]) => [Number(nonce), BigInt(value)]))
}

describe("which transfer a nonce paid", () => {
  it("is the one behind it, as Circle's code logs it", () => {
    assert.deepStrictEqual(pairsOf("U1 T5"), { 1: 5n })
    assert.deepStrictEqual(pairsOf("U1 T5 U2 T6 U3 T7"), { 1: 5n, 2: 6n, 3: 7n })
  })

  it("is the one before it where all are logged so", () => {
    assert.deepStrictEqual(pairsOf("T5 U1"), { 1: 5n })
    assert.deepStrictEqual(pairsOf("T5 U1 T6 U2"), { 1: 5n, 2: 6n })
    assert.deepStrictEqual(pairsOf("F9 T5 U1 T6 U2"), { 1: 5n, 2: 6n })
  })

  it("is found in order where the events come first, and the transfers after all of them", () => {
    assert.deepStrictEqual(pairsOf("U1 U2 T5 T6"), { 1: 5n, 2: 6n })
  })

  it("is no transfer that the wallet made otherwise", () => {
    assert.deepStrictEqual(pairsOf("F9 U1 T5 F8"), { 1: 5n })
    assert.deepStrictEqual(pairsOf("F9 U1 T5 F8 U2 T6"), { 1: 5n, 2: 6n })
  })

  it("is the one that was signed, wherever it stands", () => {
    assert.deepStrictEqual(pairsOf("F5 U1 F6 T5", { 1: 5 }), { 1: 5n })
    assert.deepStrictEqual(pairsOf("T5 U1 F6", { 1: 5 }), { 1: 5n })
    assert.deepStrictEqual(pairsOf("T5 U1 T6 U2", { 1: 5, 2: 6 }), { 1: 5n, 2: 6n })
    assert.deepStrictEqual(pairsOf("T6 U1 T5 U2", { 1: 5, 2: 6 }), { 1: 5n, 2: 6n })
  })

  it("is another than was signed where no such transfer is there", () => {
    assert.deepStrictEqual(pairsOf("U1 F5", { 1: 5 }), { 1: 5n })
  })

  it("is a transfer of its own for each of two that were signed alike", () => {
    assert.deepStrictEqual(pairsOf("U1 T5 U2 T5", { 1: 5, 2: 5 }), { 1: 5n, 2: 5n })
    assert.deepStrictEqual(pairsOf("U1 T5 U2", { 1: 5, 2: 5 }), { 1: 5n })
  })

  it("counts an event that comes twice once", () => {
    assert.deepStrictEqual(pairsOf("U1 U1 T5 T5"), { 1: 5n })
  })

  it("is none where there is none", () => {
    assert.deepStrictEqual(pairsOf("U1"), {})
  })
})
