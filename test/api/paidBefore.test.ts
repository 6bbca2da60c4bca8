import { assert, layer } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { type Address, address, type Bytes32 } from "../../src/domain/Address.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { units } from "../operator/given.ts"
import { backup } from "../support/backup.ts"
import { anyId } from "../support/anyId.ts"
import { pass, start } from "../support/executor.ts"
import { readTask } from "../support/orders.ts"

import * as Postgres from "../support/Postgres.ts"
import type { WorldState } from "../support/World.ts"
import {
  assertNothingWritten,
  assertProblem,
  challengeOf,
  opened,
  PAYER,
  type Payload,
  payloadFor,
  wishOf
} from "./paying.ts"
import { stories } from "./served.ts"

/** Takes it to the chain past the API, as another program that has it may. */
const settleOf = (world: WorldState, { payload: { authorization } }: Payload) => {
  const { from, to, value, validAfter, validBefore, nonce } = authorization
  const signed = {
    from: address(from ?? ""),
    to: address(to ?? ""),
    value: usdc(BigInt(value ?? 0)),
    validAfter: Number(validAfter),
    validBefore: Number(validBefore),
    nonce: nonce as Bytes32,
    signature: "0x" as const
  }
  assert.isTrue(world.settle(signed))
}

layer(Postgres.session())("an order whose payment USDC has taken already", (it) => {
  const { served } = stories(it)

  served("is not asked for anew where the ledger has lost an order that was paid", function* () {
    const { order, ann, world } = yield* opened()
    yield* start
    const payment = yield* payloadFor(challengeOf(yield* order(wishOf(ann))))
    settleOf(world, payment)
    const early = yield* order(wishOf(ann), payment)
    assertProblem(early, 503, "no confirmed block shows it yet")
    yield* assertNothingWritten
    yield* pass(10)
    world.verdict = () => ({ _tag: "Unsound", reason: "invalid_exact_evm_signature" })
    assertProblem(yield* order(wishOf(ann), payment), 402, "invalid_exact_evm_signature")
    yield* assertNothingWritten
    world.verdict = () => ({ _tag: "Sound" })
    world.pricePerMint = units(2)
    const answer = yield* order(wishOf(ann), payment)
    assert.strictEqual(answer.status, 200, answer.text)
    assert.deepStrictEqual([answer.json.id, answer.json.totalCost], [early.json.orderId, "5000000"])
    world.pricePerMint = units(1)
    yield* pass(60)
    assert.strictEqual((yield* readTask(anyId(answer.json.id))).status, "completed")
    assert.lengthOf(world.paidBy(PAYER), 1)
  })

  served("finds what it bought where the ledger has lost an order that was completed", function* () {
    const { order, ann, world } = yield* opened()
    yield* start
    const challenge = challengeOf(yield* order(wishOf(ann)))
    yield* order(wishOf(ann), yield* payloadFor(challenge, 2))
    yield* pass(60)
    const restore = yield* backup
    const payment = yield* payloadFor(challenge)
    const first = yield* order(wishOf(ann), payment)
    yield* pass(60)
    assert.strictEqual((yield* readTask(anyId(first.json.id))).status, "completed")
    yield* restore
    const again = yield* order(wishOf(ann), payment)
    assert.deepStrictEqual([again.status, again.json.id], [200, first.json.id], again.text)
    // What came and went since is even: it is searched for when the order is due to be cancelled.
    yield* pass(800)
    assert.deepInclude(yield* readTask(anyId(first.json.id)), { status: "completed", mints_completed: 5 })
    assert.strictEqual(world.mintsTo(ann.userAddress), 10)
    assert.lengthOf(world.paidBy(PAYER), 2)
    assert.lengthOf(world.paidBy(ann.agentAddress), 2)
  })

  served("is asked for anew where its nonce was used for another transfer, or cancelled", function* () {
    const { order, ann, world } = yield* opened()
    const challenge = challengeOf(yield* order(wishOf(ann)))
    const [one, other] = [yield* payloadFor(challenge, 1), yield* payloadFor(challenge, 2)]
    world.useElsewhere(PAYER, one.payload.authorization.nonce as Address, ann.userAddress, units(5))
    world.cancelAuthorization(PAYER, other.payload.authorization.nonce as Address)
    yield* pass(10)
    for (const payment of [one, other]) assertProblem(yield* order(wishOf(ann), payment), 402, "already_used")
    yield* assertNothingWritten
  })

  served("is no second 402 where another request has placed it meanwhile", function* () {
    const { order, ann, world } = yield* opened()
    const payment = yield* payloadFor(challengeOf(yield* order(wishOf(ann))))
    world.manners.delay = (step) => (step === "quote" ? Effect.sleep("5 seconds") : Effect.void)
    const slow = yield* Effect.forkChild(order(wishOf(ann), payment))
    yield* pass(1)
    world.manners.delay = () => Effect.void
    const quick = yield* order(wishOf(ann), payment)
    assert.strictEqual(quick.status, 200, quick.text)
    yield* pass(10)
    const late = yield* Fiber.join(slow)
    assert.deepStrictEqual([late.status, late.json.id], [200, quick.json.id], late.text)
    assert.lengthOf(world.paidBy(PAYER), 1)
  })
})
