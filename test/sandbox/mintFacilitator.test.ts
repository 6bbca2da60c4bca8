import { assert, describe, it } from "@effect/vitest"
import type { PaymentPayload, PaymentRequirements, SettleResponse } from "@x402/core/types"
import { Effect } from "effect"
import { encodeFunctionData, type Hex, parseAbi } from "viem"
import { signingDomain } from "../../src/chain/usdc.ts"
import { local } from "../../src/config/Network.ts"
import { type Address, address } from "../../src/domain/Address.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import * as Contracts from "../../src/sandbox/Contracts.ts"
import { MULTICALL3, roles } from "../../src/sandbox/DevChain.ts"
import type { MintChain, Settled } from "../../src/sandbox/mintChain.ts"
import { onRecord } from "../../src/sandbox/mintFacilitator.ts"
import {
  Chain,
  keepsQuiet,
  mintsOf,
  newPayer,
  onChain,
  openShop,
  order,
  post,
  PRICE,
  sign,
  type Signed,
  stranger,
  usdcOf
} from "./mintFixtures.ts"

onChain("what the mint server takes as a payment", (it) => {
  keepsQuiet()

  it.effect("delivers a payment that another account took to the chain", () =>
    Effect.gen(function* () {
      const { at, token } = yield* openShop()
      const payer = yield* newPayer()
      const { challenge } = yield* post(at, order)
      const signed = yield* sign(payer, challenge)
      // In one transaction with another payment of the same payer, which is for something else.
      const aside = yield* sign(payer, challenge, { to: stranger, value: 1n })
      yield* transact(MULTICALL3, atOnce([aside, signed].map(transferWith)))
      const { header } = signed
      const { status, receipt, body } = yield* post(at, order, header)
      assert.strictEqual(status, 200)
      assert.strictEqual(receipt?.transaction, body["paymentTxHash"])
      assert.lengthOf(yield* mintsOf(token), 3)
      assert.strictEqual((yield* post(at, { ...order, recipient: stranger }, header)).status, 409)
    })
  )

  it.effect("takes no payment whose nonce is canceled", () =>
    Effect.gen(function* () {
      const { at, token } = yield* openShop()
      const payer = yield* newPayer()
      const { header, authorization } = yield* sign(payer, (yield* post(at, order)).challenge)
      const message = { authorizer: payer.address, nonce: authorization.nonce }
      const signature = yield* Effect.promise(() =>
        payer.signTypedData({
          domain: signingDomain(local),
          types: {
            CancelAuthorization: [
              { name: "authorizer", type: "address" },
              { name: "nonce", type: "bytes32" }
            ]
          },
          primaryType: "CancelAuthorization",
          message
        })
      )
      const args = [payer.address, authorization.nonce, signature] as const
      yield* transact(local.usdc.address, encodeFunctionData({ abi, functionName: "cancelAuthorization", args }))
      const { status, receipt } = yield* post(at, order, header)
      assert.strictEqual(status, 402)
      assert.deepInclude(receipt, { success: false, errorReason: "invalid_exact_evm_nonce_already_used" })
      assert.lengthOf(yield* mintsOf(token), 0)
    })
  )

  for (const [what, change, reason] of [
    ["has expired", { validBefore: 1_761_973_300n }, "invalid_exact_evm_payload_authorization_valid_before"],
    ["is too small", { value: PRICE }, "invalid_exact_evm_payload_authorization_value_mismatch"],
    ["goes elsewhere", { to: stranger }, "invalid_exact_evm_recipient_mismatch"],
    ["is signed by another account", { from: stranger }, "invalid_exact_evm_signature"]
  ] as const)
    it.effect(`takes no payment that ${what}`, () =>
      Effect.gen(function* () {
        const { at, token } = yield* openShop()
        const payer = yield* newPayer()
        const { header } = yield* sign(payer, (yield* post(at, order)).challenge, change)
        const { status, receipt } = yield* post(at, order, header)
        assert.strictEqual(status, 402)
        assert.deepInclude(receipt, { success: false, errorReason: reason, transaction: "" })
        assert.lengthOf(yield* mintsOf(token), 0)
        assert.strictEqual(yield* usdcOf(address(payer.address)), 100n * PRICE)
      })
    )

  it.effect("takes a payment that was refused for want of money once the money is there", () =>
    Effect.gen(function* () {
      const { at, token } = yield* openShop()
      const payer = yield* newPayer(0n)
      const { header } = yield* sign(payer, (yield* post(at, order)).challenge)
      const poor = yield* post(at, { ...order, recipient: stranger }, header)
      assert.strictEqual(poor.status, 402)
      assert.strictEqual(poor.receipt?.errorReason, "invalid_exact_evm_insufficient_balance")
      yield* Contracts.mintUsdc(yield* Chain, address(payer.address), usdc(3n * PRICE))
      assert.strictEqual((yield* post(at, order, header)).status, 200)
      assert.lengthOf(yield* mintsOf(token), 3)
    })
  )
})

describe("a payment on record", () => {
  const payment = {
    payer: address(`0x${"9a".repeat(20)}`),
    nonce: `0x${"c0".repeat(32)}`,
    payTo: address(`0x${"70".repeat(20)}`),
    amount: usdc(PRICE)
  } as const
  const { payer: from, payTo: to, amount, nonce } = payment
  const payload = {
    payload: { authorization: { from, to, value: String(amount), nonce } }
  } as unknown as PaymentPayload
  const requirements = { network: "eip155:31337" } as unknown as PaymentRequirements
  const failure: SettleResponse = {
    success: false,
    errorReason: "transaction_failed",
    transaction: "",
    network: requirements.network
  }

  /** A facilitator that fails to settle, over a chain that says what used the nonce. */
  const settle = Effect.fnUntraced(function* (settled: Settled | undefined, isValid = true) {
    const steps: Array<string> = []
    const step = <A>(name: string, value: A) => Effect.sync(() => (steps.push(name), value))
    const facilitator = onRecord(
      {
        chain: { head: step("head", 7n), findSettled: () => step("look", settled) } as unknown as MintChain,
        records: { find: () => Effect.undefined, add: (record) => step(`record from ${record.fromBlock}`, undefined) },
        facilitator: {
          getSupported: () => Promise.reject(new Error("not asked")),
          verify: () => Effect.runPromise(step("verify", { isValid, invalidReason: "too_poor" })),
          settle: () => Effect.runPromise(step("settle", failure))
        },
        run: Effect.runPromise
      },
      () => ({ token: payment.payTo, recipient: stranger, quantity: 1 })
    )
    return { answer: yield* Effect.promise(() => facilitator.settle(payload, requirements)), steps }
  })

  const tx = `0x${"fe".repeat(32)}` as const
  const paid: Settled = { tx, block: 8n, payTo: payment.payTo, amount: payment.amount }

  it.effect("is written down after it is checked and before it is settled", () =>
    Effect.gen(function* () {
      const { answer, steps } = yield* settle(undefined)
      assert.deepStrictEqual(steps, ["head", "verify", "record from 7", "settle", "look"])
      assert.deepStrictEqual(answer, failure)
    })
  )

  it.effect("is not written down where it would not be taken", () =>
    Effect.gen(function* () {
      const { answer, steps } = yield* settle(undefined, false)
      assert.deepStrictEqual(steps, ["head", "verify"])
      assert.deepInclude(answer, { success: false, errorReason: "too_poor" })
    })
  )

  it.effect("is settled where the chain says so, even if our own transaction failed", () =>
    Effect.gen(function* () {
      assert.deepInclude((yield* settle(paid)).answer, { success: true, transaction: tx, payer: payment.payer })
      for (const other of [
        { ...paid, payTo: stranger },
        { ...paid, amount: usdc(1n) }
      ])
        assert.deepStrictEqual((yield* settle(other)).answer, failure)
    })
  )
})

const abi = parseAbi([
  "function transferWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, bytes signature)",
  "function cancelAuthorization(address authorizer, bytes32 nonce, bytes signature)",
  "struct Call { address target; bool allowFailure; bytes callData; }",
  "function aggregate3(Call[] calls) payable"
])

const transferWith = ({ authorization, signature }: Signed): Hex => {
  const { from, to, value, validAfter, validBefore, nonce } = authorization
  const args = [from, to, value, validAfter, validBefore, nonce, signature] as const
  return encodeFunctionData({ abi, functionName: "transferWithAuthorization", args })
}

/** Calls of USDC in one transaction, for Multicall3. */
const atOnce = (calls: ReadonlyArray<Hex>): Hex => {
  const args = [calls.map((callData) => ({ target: local.usdc.address, allowFailure: false, callData }))] as const
  return encodeFunctionData({ abi, functionName: "aggregate3", args })
}

/** Somebody sends a transaction. */
const transact = Effect.fnUntraced(function* (to: Address, data: Hex) {
  const chain = yield* Chain
  yield* chain.receipt("transact", yield* chain.send("transact", roles.customer, { to, data }))
})
