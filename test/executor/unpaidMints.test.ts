import { assert, layer } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { ChainError } from "../../src/chain/ChainClient.ts"
import { type Did, type MintOrder, NoOffer } from "../../src/mint/Minter.ts"
import * as Postgres from "../support/Postgres.ts"
import { launch, inMemory, onWorld, pass, startFor } from "../support/executor.ts"
import { heldReason, paidOrder, readTask } from "../support/orders.ts"
import { stories } from "../support/stories.ts"
import { World } from "../support/World.ts"

const NEVER_PAID = "Held for the operator: batch 1: 5 mints were made and never paid for"

const AGAIN = { mintTimeout: Duration.seconds(15), drainTimeout: Duration.zero }

const answers: ReadonlyArray<{ readonly name: string; readonly reason: NoOffer["reason"]; readonly did?: Did }> = [
  { name: "answers that it is done", reason: "Unreadable", did: "claims" },
  { name: "does not answer", reason: "Unavailable", did: "unknown" },
  { name: "refuses", reason: "Refused" }
]

/** Mints whatever it is asked for, and asks for no money. */
const givenGenerous = Effect.fnUntraced(function* (reason: NoOffer["reason"], did?: Did) {
  const world = yield* World
  world.manners.quote = (order) => {
    world.mint(order, order.quantity)
    return new NoOffer({ reason, message: "no offer", ...(did && { did }) })
  }
  return world
})

layer(Postgres.session())("a mint server that is asked for the price", (it) => {
  const test = stories(it, inMemory({ mintTimeout: Duration.seconds(15) }))
  const onDatabase = stories(it, onWorld(AGAIN))

  for (const confirmations of [2, 30]) {
    for (const { name, reason, did } of answers) {
      stories(it, inMemory({ confirmations, mintTimeout: Duration.seconds(15) }))(
        `and mints, and ${name}, is asked once at ${confirmations} confirmations and paid nothing`,
        function* () {
          const world = yield* givenGenerous(reason, did)
          yield* pass(2 * confirmations)
          const { who, task } = yield* paidOrder("ann", 5)
          yield* startFor(60 + 4 * confirmations)
          assert.strictEqual(yield* heldReason(task), NEVER_PAID)
          assert.strictEqual(world.quotedAtMs.length, 1)
          assert.strictEqual(world.paidBy(who.agentAddress).length, 0)
        }
      )
    }
  }

  test("and says three times that it is done while no mint comes is not asked again", function* (world) {
    const { task } = yield* paidOrder("ann", 5)
    world.manners.quote = () => new NoOffer({ reason: "Unreadable", message: "no offer", did: "claims" })
    yield* startFor(200)
    assert.match((yield* heldReason(task)) ?? "", /^Held for the operator: batch 1: the mint server answered 3 times/)
    assert.strictEqual(world.quotedAtMs.length, 3)
    const pauses = world.quotedAtMs.slice(1).map((atMs, index) => atMs - world.quotedAtMs[index]!)
    for (const pause of pauses) assert.isAtLeast(pause, 15_000, "its mints get MINT_TIMEOUT to come")
  })

  onDatabase("and mints while we die over it is not asked again after the restart", function* (world) {
    const { task } = yield* paidOrder("ann", 5)
    const mintAndHang = (_: "quote" | "pay", order: MintOrder) => {
      world.mint(order, order.quantity)
      return Effect.never
    }
    world.manners.delay = mintAndHang
    yield* pass(6)
    const first = yield* launch(AGAIN)
    yield* pass(5)
    assert.strictEqual(world.quotedAtMs.length, 1)
    yield* first.kill
    delete world.manners.delay
    const second = yield* launch(AGAIN)
    yield* pass(60)
    assert.strictEqual(yield* heldReason(task), NEVER_PAID)
    assert.strictEqual(world.quotedAtMs.length, 1)
    yield* second.kill
  })

  onDatabase("is asked by one executor of two at a time", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.manners.delay = (request) => (request === "quote" ? Effect.sleep("8 seconds") : Effect.void)
    yield* pass(6)
    const executors = [yield* launch(AGAIN), yield* launch(AGAIN)]
    yield* pass(60)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.strictEqual(world.quotedAtMs.length, 1)
    assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
    for (const { kill } of executors) yield* kill
  })

  stories(it, inMemory({ mintTimeout: Duration.minutes(10) }))(
    "and names it costs an order no time where the chain is away before the payment",
    function* (world) {
      const { who, task } = yield* paidOrder("ann", 5)
      world.manners.quote = () => {
        world.chainFault = new ChainError({ reason: "Timeout", operation: "read", detail: "no answer" })
        return undefined
      }
      yield* startFor(15)
      assert.strictEqual(world.quotedAtMs.length, 1)
      delete world.manners.quote
      world.chainFault = undefined
      yield* pass(60)
      assert.strictEqual((yield* readTask(task)).status, "completed")
      assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
    }
  )

  stories(it, inMemory())("before the same payment is sent again, and mints, is not asked twice", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.manners.pay = () => ({ _tag: "Unclear", reason: "no answer" })
    world.manners.quote = (order) => {
      if (world.payments.length === 0) return undefined
      world.mint(order, order.quantity)
      return new NoOffer({ reason: "Unreadable", message: "no offer", did: "claims" })
    }
    yield* startFor(400)
    assert.strictEqual(yield* heldReason(task), NEVER_PAID)
    assert.strictEqual(world.mintsTo(who.userAddress), 5)
    assert.strictEqual(world.paidBy(who.agentAddress).length, 0)
  })
})
