import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { canonicalForm } from "../../src/proof/digest.ts"
import { overall } from "../../src/proof/Check.ts"
import { Proof } from "../../src/proof/Proof.ts"
import { checkContent, PROOF_BYTES_MAX } from "../../src/proof/verify.ts"
import { account, bytes32 } from "../chain/fakeChain.ts"
import { BACKUP, dead, type FakeNodes, healthy, http, URL } from "../chain/fakeNodes.ts"
import { claimsJson, decodeProof, givenChain, signedJson, SIGNER, verified } from "./given.ts"

type Json = string | number | boolean | null | ReadonlyArray<Json> | { readonly [key: string]: Json }

/** The paths of every value that holds no other. */
const leavesOf = (value: Json, path: ReadonlyArray<string> = []): ReadonlyArray<ReadonlyArray<string>> =>
  typeof value === "object" && value !== null
    ? Object.entries(value).flatMap(([key, inner]) => leavesOf(inner as Json, [...path, key]))
    : [path]

/** Another value of the same form. */
const otherThan = (value: Json): Json => {
  if (typeof value === "number") return value + 1
  if (value === null) return "2026-01-31T09:00:00.000Z"
  if (value === "completed") return "processing"
  if (value === "TokensMinted") return "Transfer"
  const changed = String(value).replace(/\d(?=[^\d]*$)/, (digit) => (digit === "7" ? "6" : "7"))
  return changed === value ? `${value}7` : changed
}

const changedAt = (value: Json, [key = "", ...path]: ReadonlyArray<string>, change: (old: Json) => Json): Json => {
  const inner = (value as { readonly [key: string]: Json })[key] ?? null
  const changed = path.length === 0 ? change(inner) : changedAt(inner, path, change)
  return Array.isArray(value)
    ? value.map((one, index) => (String(index) === key ? changed : one))
    : { ...(value as object), [key]: changed }
}

const isProof = Schema.is(Schema.toEncoded(Proof))

const failing = ({ checks }: { readonly checks: ReadonlyArray<{ readonly result: string; readonly why?: string }> }) =>
  checks.filter(({ result }) => result !== "holds").map(({ why }) => why)

const unsigned = (change: (claims: typeof claimsJson) => object = () => ({})) => ({
  proof: { ...claimsJson, ...change(claimsJson) },
  signature: null
})

describe("a proof of an order", () => {
  it.effect("holds on the chain that shows it, and says what no chain shows", () =>
    Effect.gen(function* () {
      const verdict = yield* verified(yield* signedJson, undefined, SIGNER)
      assert.deepStrictEqual(failing(verdict), [])
      assert.strictEqual(verdict.result, "holds")
      assert.strictEqual(verdict.signer, SIGNER)
      for (const words of ["deposits were meant", "500 base units", "the node tells the truth", "sells the token"]) {
        assert.include(verdict.notChecked.join("\n"), words)
      }
    })
  )

  it.effect("asks a node few questions: chain and head, then three receipts or blocks at a time", () =>
    Effect.gen(function* () {
      const { sent } = yield* verified(yield* signedJson)
      const methods = sent.map(({ methods }) => methods.join())
      assert.strictEqual(methods[0], "eth_chainId,eth_blockNumber")
      const receipts = Array<string>(3).fill("eth_getTransactionReceipt").join()
      // This node leaves the hashes of blocks out of its logs: six blocks are two requests more.
      const blocks = Array<string>(3).fill("eth_getBlockByNumber").join()
      assert.deepStrictEqual(methods.slice(1), [receipts, receipts, blocks, blocks])
    })
  )

  it.effect("is false where any of its values is another", () =>
    Effect.gen(function* () {
      const signed = (yield* signedJson) as unknown as Json
      const paths = leavesOf(signed)
      assert.isAbove(paths.length, 150)
      for (const path of paths) {
        const forged = changedAt(signed, path, otherThan)
        // What is not of the form is not read at all.
        if (!isProof(forged)) continue
        const { checks } = yield* checkContent(decodeProof(forged), undefined)
        assert.strictEqual(overall(checks), "false", path.join("."))
      }
    })
  )

  it.effect("names no signer where something was changed: the signature gives the address of no account", () =>
    Effect.gen(function* () {
      const changed = changedAt((yield* signedJson) as unknown as Json, ["proof", "order", "totalCost"], otherThan)
      const verdict = yield* verified(changed as object)
      assert.deepStrictEqual([verdict.result, verdict.signer], ["false", undefined])
      assert.include(verdict.notChecked[0], "it is not signed as it is here")
      assert.notInclude(verdict.notChecked.join(), "the platform's account")
    })
  )

  it.effect("reads nothing that has more, less, or other than a proof", () =>
    Effect.gen(function* () {
      const signed = (yield* signedJson) as unknown as Json
      const text = JSON.stringify(signed)
      const given: ReadonlyArray<string> = [
        "",
        "{",
        "null",
        "[]",
        '"proof"',
        "[".repeat(100_000),
        text.slice(0, -1),
        text.replace('"proof":', '"__proto__":'),
        text.replace('"proof":{', '"proof":{"__proto__":{"usdc":"0x1"},'),
        text.replace('"version":1', '"version":2'),
        text.replace('"quantity":12', '"quantity":1e3000'),
        text.replace('"totalCost":"24000000"', '"totalCost":"024000000"'),
        text.replace('"totalCost":"24000000"', '"totalCost":24000000'),
        text.replace('"totalCost":"24000000"', `"totalCost":"${"9".repeat(10_000)}"`),
        text.replace('"status":"completed"', '"status":"completed","paid":true'),
        text.replace('"refunds":[', `"refunds":[${"null,".repeat(2_000)}`),
        `${text}${" ".repeat(PROOF_BYTES_MAX)}`
      ]
      for (const one of given) {
        const { _tag, message } = yield* Effect.flip(verified(one))
        assert.strictEqual(_tag, "NotVerifiable")
        assert.match(message, /^This is no proof: /)
        assert.isBelow(message.length, 600)
      }
    })
  )

  it.effect("that is not signed says so, and is false to who asks for a signer", () =>
    Effect.gen(function* () {
      const open = yield* verified(unsigned())
      assert.strictEqual(open.result, "holds")
      assert.include(open.notChecked[0], "it is not signed")
      assert.strictEqual((yield* verified(unsigned(), undefined, SIGNER)).result, "false")
      const other = yield* verified(yield* signedJson, undefined, account(1))
      assert.deepStrictEqual(failing(other), [`it is ${SIGNER}`])
      assert.notInclude(other.notChecked.join(), "--signer", "it is given")
    })
  )
})

describe("a proof without a signature", () => {
  const cases: ReadonlyArray<[name: string, change: (claims: typeof claimsJson) => object, why: RegExp]> = [
    ["of a USDC of its own making", () => ({ usdc: account(9) }), /USDC there is 0x8335/],
    ["of an unknown chain", () => ({ chainId: 5 }), /chain 5 is none/],
    [
      "of another order's payments",
      ({ order }) => ({ order: { ...order, id: `9${order.id.slice(1)}` } }),
      /nonce of batch 1 is of/
    ],
    [
      "of another user's mints",
      ({ order, refunds }) => ({ order: { ...order, user: account(1) }, refunds: refunds.slice(1) }),
      /mint 1 is not there/
    ],
    ["of another token's mints", ({ order }) => ({ order: { ...order, token: account(1) } }), /mint 1 is not there/],
    [
      "of another sender",
      ({ deposits }) => ({ deposits: [{ ...deposits[0], sender: account(1) }] }),
      /no such transfer/
    ],
    [
      "of a larger deposit",
      ({ deposits }) => ({ deposits: [{ ...deposits[0], amount: "26000000" }] }),
      /no such transfer/
    ],
    [
      "of one deposit as two",
      ({ deposits: [first] }) => ({
        deposits: [
          { ...first, used: "12000000" },
          { ...first, used: "12000000", logIndex: 4 }
        ]
      }),
      /no such transfer/
    ],
    [
      "of less paid than was",
      ({ payments: [first, second] }) => ({ payments: [{ ...first, amount: "19000000" }, second] }),
      /the nonce paid 20.00 USDC/
    ],
    [
      "of more paid than the price",
      ({ payments: [first, second] }) => ({ payments: [{ ...first, quantity: 9 }, second] }),
      /batch 1 pays 20.00 USDC for 9 mints/
    ],
    [
      "of another payee",
      ({ payments: [first, second] }) => ({ payments: [{ ...first, payTo: account(1) }, second] }),
      /the nonce paid 20.00 USDC to 0x0+a3/
    ],
    [
      "of a payment in another transaction",
      ({ payments: [first, second] }) => ({ payments: [{ ...first, tx: bytes32(920), block: "920" }, second] }),
      /does not use nonce/
    ],
    [
      "of a payment in another block",
      ({ payments: [first, second] }) => ({ payments: [{ ...first, block: "911" }, second] }),
      /is in block 910, not in block 911/
    ],
    [
      "of a payment that never was",
      ({ payments: [first, second] }) => ({ payments: [{ ...first, tx: bytes32(7) }, second] }),
      /block 910 does not hold/
    ],
    [
      "of a mint that is counted twice",
      ({ mints }) => ({ mints: [...mints.slice(1), { ...mints[1], mintNumber: 1 }] }),
      /mint 2 in \S+ is counted twice/
    ],
    [
      "of more mints than the events come to",
      ({ mints }) => ({ mints: [...mints.slice(0, -1), { ...mints.at(-1), part: 2 }] }),
      /mint 12 is not there: its events come to 2 mints/
    ],
    [
      "of smaller portions",
      ({ payments: [first, second] }) => ({ payments: [first, { ...second, portion: "501" }] }),
      /mint 12 is not there/
    ],
    [
      "of a refund to another",
      ({ refunds: [first] }) => ({ refunds: [{ ...first, payTo: account(1) }] }),
      /went to 0x/
    ],
    [
      "of another fork",
      ({ blocks }) => ({ blocks: [...blocks.slice(1), { number: "900", hash: bytes32(1) }] }),
      /another chain, or another fork/
    ],
    [
      "of a mint that another event tells",
      ({ mints }) => ({
        mints: mints.map((mint) => ({ ...mint, event: mint.event === "Transfer" ? "TokensMinted" : "Transfer" }))
      }),
      /no \S+ tells mint 1/
    ],
    [
      "with a block in which nothing is",
      ({ blocks }) => ({ blocks: [...blocks, { number: "999", hash: bytes32(1) }] }),
      /nothing is in block 999/
    ],
    ["with a block left out", ({ blocks }) => ({ blocks: blocks.slice(1) }), /block 900 has no hash/],
    ["of a dearer quote", ({ quote }) => ({ quote: { ...quote, pricePerMint: "2000001" } }), /the quote was for/]
  ]
  for (const [name, change, why] of cases) {
    it.effect(`is false ${name}`, () =>
      Effect.gen(function* () {
        const verdict = yield* verified(unsigned(change))
        assert.strictEqual(verdict.result, "false")
        assert.match(failing(verdict).join("\n"), why)
      })
    )
  }

  it.effect("is not decided where deposits or mints are known by word alone", () =>
    Effect.gen(function* () {
      const few = yield* verified(unsigned(({ mints }) => ({ mints: mints.slice(1) })))
      assert.deepStrictEqual(failing(few), ["1 of them are known to the ledger by word alone"])
      assert.strictEqual(few.result, "unknown")
      const free = yield* verified(unsigned(({ blocks }) => ({ deposits: [], blocks: blocks.slice(1) })))
      assert.strictEqual(free.result, "unknown")
    })
  )
})

describe("nodes that are asked about a proof", () => {
  const asked = (behaviours: FakeNodes["behaviours"]) => verified(unsigned(), behaviours)

  it.effect("of another chain are refused", () =>
    Effect.gen(function* () {
      const elsewhere = { ...givenChain(), chainId: 84_532 }
      const { message } = yield* Effect.flip(asked({ [URL]: healthy(elsewhere) }))
      assert.strictEqual(
        message,
        "The proof is of chain 8453, and node.example leads to chain 84532. Give --rpc a node of the proof's chain."
      )
    })
  )

  it.live("that do not answer leave it undecided, and what is false by itself stays false", () =>
    Effect.gen(function* () {
      const silent = yield* asked({ [URL]: dead })
      assert.strictEqual(silent.result, "unknown")
      assert.match(failing(silent).join(), /^no node answers: node\.example: Unavailable/)
      const forged = yield* verified(
        unsigned(() => ({ usdc: account(9) })),
        { [URL]: http(500) }
      )
      assert.strictEqual(forged.result, "false")
    })
  )

  it.live("that answer in part leave that part undecided", () =>
    Effect.gen(function* () {
      const chain = givenChain()
      const partly: FakeNodes["behaviours"] = {
        [URL]: (request, signal) =>
          request.params?.[0] === bytes32(930) ? http(503)(request, signal) : healthy(chain)(request, signal)
      }
      const verdict = yield* asked(partly)
      assert.strictEqual(verdict.result, "unknown")
      assert.match(failing(verdict).join(), /no node answered about/)
    })
  )

  it.effect("without the history are told from a payment that never was, and another is asked", () =>
    Effect.gen(function* () {
      const chain = givenChain()
      const pruned: FakeNodes["behaviours"][string] = (request, signal) =>
        request.method === "eth_getTransactionReceipt" ? null : healthy(chain)(request, signal)
      const alone = yield* asked({ [URL]: pruned })
      assert.strictEqual(alone.result, "unknown")
      assert.match(failing(alone).join(), /its history may be pruned/)
      assert.strictEqual((yield* asked({ [URL]: pruned, [BACKUP]: healthy(chain) })).result, "holds")
    })
  )

  it.effect("have to show it in a block that counts, and a transaction that did something", () =>
    Effect.gen(function* () {
      const young = Object.assign(givenChain(), { head: 930n })
      const verdict = yield* asked({ [URL]: healthy(young) })
      assert.deepStrictEqual(failing(verdict), ["block 930 has 1 of 2 blocks yet: ask again in a moment"])
      const reverted = givenChain()
      reverted.reverted.add(bytes32(910))
      assert.strictEqual((yield* asked({ [URL]: healthy(reverted) })).result, "false")
    })
  )
})

describe("the canonical form", () => {
  it("is RFC 8785: sorted keys, no space, the shortest escapes", () => {
    const value = { "\u20ac": "Euro", "\r": "CR", "1": 1e21, "\u0080": '\u0007\n"\\/', a: [true, null, -0] }
    assert.strictEqual(
      canonicalForm(value as never),
      '{"\\r":"CR","1":1e+21,"a":[true,null,0],"\u0080":"\\u0007\\n\\"\\\\/","\u20ac":"Euro"}'
    )
  })
})
