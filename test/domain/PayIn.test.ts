import { assert, describe, it } from "@effect/vitest"
import { address } from "../../src/domain/Address.ts"
import type { AuthorizationOutcome } from "../../src/domain/Authorization.ts"
import { judgePayIn, type PayIn, payInKey, payInTaskId, placePayIn, revivePayIn } from "../../src/domain/PayIn.ts"
import { parseTaskId } from "../../src/domain/Task.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { anyId } from "../support/anyId.ts"

const PAYER = address(`0x${"aa".repeat(20)}`)
const WALLET = address(`0x${"bb".repeat(20)}`)
const USDC = address(`0x${"cc".repeat(20)}`)
const NONCE = `0x${"0D".repeat(32)}` as const
const TX = `0x${"ee".repeat(32)}` as const
const SEED = { chainId: 8453, usdc: USDC, payer: PAYER, nonce: NONCE }

const PLACED: PayIn = placePayIn({
  authorization: { from: PAYER, to: WALLET, value: usdc(5n), validAfter: 100, validBefore: 200, nonce: NONCE },
  wallet: { id: anyId("00000001-0000-4000-8000-000000000000"), agentAddress: WALLET },
  taskId: payInTaskId(SEED),
  nowMs: 150_000
})

const judged = (outcome: AuthorizationOutcome, timeMs = 150_000) => judgePayIn(PLACED, outcome, { number: 9n, timeMs })

const used = { _tag: "Used", tx: TX, block: 7n, to: WALLET, value: usdc(5n) } as const

describe("a pay-in", () => {
  it("names one order for ever, by chain, USDC, payer and nonce", () => {
    const id = payInTaskId(SEED)
    assert.strictEqual(parseTaskId(id), id)
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.strictEqual(payInTaskId({ ...SEED, nonce: `0x${"0d".repeat(32)}` }), id)
    const others = [{ chainId: 1 }, { usdc: WALLET }, { payer: WALLET }, { nonce: TX }]
    assert.lengthOf(new Set([id, ...others.map((other) => payInTaskId({ ...SEED, ...other }))]), 5)
  })

  it("is placed live, its nonce in one spelling", () => {
    assert.strictEqual(PLACED.status, "live")
    assert.strictEqual(PLACED.nonce, NONCE.toLowerCase())
    assert.strictEqual(payInKey({ payer: PAYER, nonce: NONCE }), payInKey(PLACED))
  })

  it("stays live while its nonce is unused in an open window, or nobody can say how it was used", () => {
    assert.isUndefined(judged({ _tag: "Unused" }))
    assert.isUndefined(judged({ _tag: "Unused" }, 199_999))
    assert.isUndefined(judged({ _tag: "Unexplained" }, 300_000))
  })

  it("is void in a block in which USDC does not accept it any more, or that follows its cancellation", () => {
    assert.deepInclude(judged({ _tag: "Unused" }, 200_000), { status: "void", block: 9n, tx: undefined })
    assert.deepInclude(judged({ _tag: "Canceled", tx: TX, block: 8n }), { status: "void", block: 8n, tx: TX })
  })

  it("is settled by its own transfer alone", () => {
    assert.deepInclude(judged(used), { status: "settled", tx: TX, block: 7n })
    assert.deepInclude(judged({ ...used, to: PAYER }), { status: "elsewhere", tx: TX, block: 7n })
    assert.deepInclude(judged({ ...used, value: usdc(4n) }), { status: "elsewhere", tx: TX })
  })

  it("is as it was placed where the chain takes back what proved it", () => {
    for (const proven of [judged(used), judged({ _tag: "Unused" }, 200_000)]) {
      assert.deepStrictEqual(proven && revivePayIn(proven), PLACED)
    }
  })
})
