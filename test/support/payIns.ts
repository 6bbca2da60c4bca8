import { Clock, Effect, Redacted } from "effect"
import { keccak256, toHex } from "viem"
import { Settings } from "../../src/config/Settings.ts"
import { address } from "../../src/domain/Address.ts"
import type { SignedAuthorization } from "../../src/domain/Authorization.ts"
import { payInTaskId, placePayIn } from "../../src/domain/PayIn.ts"
import { times, usdc } from "../../src/domain/Usdc.ts"
import { DecisionRepo } from "../../src/ledger/DecisionRepo.ts"
import { type Person, PRICE, TOKEN } from "./orders.ts"
import { World } from "./World.ts"

/** A client's own account, which is not the person's. */
export const PAYER = address(`0x${"c1".repeat(20)}`)

interface PaidIn {
  /** Tells several of one test apart. */
  readonly nonce?: number
  /** For how long it is valid, in seconds from now. */
  readonly windowSeconds?: number
}

let nonces = 0

/** Places an order together with the payment that its client has signed, and does not submit it. */
export const payInOrder = Effect.fnUntraced(function* (
  who: Person,
  quantity: number,
  { nonce: seed = ++nonces, windowSeconds = 120 }: PaidIn = {}
) {
  const { network } = yield* Settings
  const nowMs = yield* Clock.currentTimeMillis
  const nonce = keccak256(toHex(`pay-in ${seed}`))
  const wallet = {
    id: who.walletId,
    userAddress: who.userAddress,
    agentAddress: who.agentAddress,
    encryptedPrivateKey: Redacted.make("")
  }
  const payment: SignedAuthorization = {
    from: PAYER,
    to: who.agentAddress,
    value: times(usdc(PRICE), quantity),
    validAfter: 0,
    validBefore: Math.floor(nowMs / 1000) + windowSeconds,
    nonce,
    signature: "0x"
  }
  const task = payInTaskId({ chainId: network.chainId, usdc: network.usdc.address, payer: PAYER, nonce })
  const order = { id: task, wallet, token: TOKEN, quantity, pricePerMint: usdc(PRICE) }
  const payIn = placePayIn({ authorization: payment, wallet, taskId: task, nowMs })
  const decision = { command: "create", said: "an order is placed", why: "its client pays", by: "a client" }
  yield* (yield* DecisionRepo).placePaidOrder(order, payIn, decision, nowMs)
  // The payer has the money, from before.
  const world = yield* World
  world.deposit(PAYER, payment.value)
  return { task, payment, submit: () => world.settle(payment) }
})

/** What is written down of a pay-in. */
export const readPayIn = Effect.fnUntraced(function* ({ from: payer, nonce }: SignedAuthorization) {
  const found = yield* (yield* DecisionRepo).findPayIn({ payer, nonce })
  return found?.payIn ?? (yield* Effect.die(new Error("there is no such pay-in")))
})
