import { assert, layer } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { local } from "../../src/config/Network.ts"
import { address, type Bytes32 } from "../../src/domain/Address.ts"
import type { TaskId } from "../../src/domain/Task.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { NoOffer, type PaymentAnswer } from "../../src/mint/Minter.ts"
import * as Postgres from "../support/Postgres.ts"
import { inMemory, onWorld, pass, start, startFor } from "../support/executor.ts"
import { heldReason, mintNumbers, order, paidOrder, type Person, readBatches, readTask } from "../support/orders.ts"
import { stories } from "../support/stories.ts"
import { World } from "../support/World.ts"
import { accepted, logged, lost, mints, settlesAndMints } from "./given.ts"

const THIEF = address(`0x${"bad".padStart(40, "0")}`)
/** Facilitators refuse what lapses within six seconds; the server says that it needs a minute. */
const lapsed: PaymentAnswer = { _tag: "Refused", reason: "invalid_exact_evm_payload_authorization_valid_before" }
const refused: PaymentAnswer = { _tag: "Refused", reason: "mint server answered 402: invalid_payload" }

/** One payment, every mint, and the books say the same. */
const isDoneOnce = Effect.fnUntraced(function* ({ who, task }: { who: Person; task: TaskId }, quantity: number) {
  const world = yield* World
  const done = yield* readTask(task)
  assert.deepInclude(done, { status: "completed", mints_completed: quantity, retry_count: 0, error_message: null })
  assert.strictEqual(world.mintsTo(who.userAddress), quantity)
  const batches = yield* readBatches(task)
  assert.strictEqual(world.paidBy(who.agentAddress).length, batches.length)
  assert.deepStrictEqual(new Set(world.payments.map(({ nonce }) => nonce)).size, batches.length)
  assert.deepStrictEqual(
    yield* mintNumbers(task),
    Array.from({ length: quantity }, (_, index) => index + 1)
  )
})

const nonceOf = (task: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const rows = yield* sql<{ nonce: Bytes32 }>`SELECT nonce FROM ai_agent_batches WHERE task_id = ${task}::uuid`
    return rows[0]!.nonce
  })

layer(Postgres.session())("a payment", (it) => {
  const test = stories(it, inMemory())
  const onDatabase = stories(it, onWorld())

  test.each([
    { name: "is lost", answer: lost },
    { name: "is a refusal", answer: refused }
  ])("settled and minted while the answer $name is proven by the chain, not repeated", function* (world, { answer }) {
    const ann = yield* paidOrder("ann", 5)
    world.manners.pay = settlesAndMints(5, answer)
    yield* startFor(40)
    yield* isDoneOnce(ann, 5)
    assert.strictEqual(world.payments.length, 1)
  })

  test("that is never settled is sent again unchanged, ever later, and paid in the next window", function* (world) {
    const ann = yield* paidOrder("ann", 5)
    world.manners.pay = () => lost
    yield* pass(6)
    yield* startFor(290)
    const [first] = world.payments
    for (const payment of world.payments) assert.deepStrictEqual(payment, first)
    const pauses = world.sentAtMs.slice(1).map((atMs, index) => atMs - world.sentAtMs[index]!)
    assert.isTrue(pauses.slice(0, 5).every((pause, index) => index === 0 || pause >= pauses[index - 1]!))
    assert.isAtLeast(pauses[0]!, 2_000)
    assert.isAtMost(Math.max(...pauses), 70_000)
    assert.isAtMost(world.payments.length, 12)
    assert.deepInclude(yield* readTask(ann.task), { status: "processing", retry_count: 0 })
    delete world.manners.pay
    yield* pass(90)
    yield* isDoneOnce(ann, 5)
    const last = world.payments.at(-1)!
    assert.strictEqual(last.nonce, first!.nonce)
    assert.isAbove(last.validBefore, first!.validBefore)
  })

  for (const confirmations of [1, 2, 40, 100]) {
    const deep = stories(it, inMemory({ confirmations, network: { ...local, blockSeconds: 2 } }))
    deep(`is only sent while it is valid for long enough, at ${confirmations} confirmations`, function* (world) {
      const ann = yield* paidOrder("ann", 5)
      let isDown = true
      world.manners.offer = (offer) => ({ ...offer, maxTimeoutSeconds: 60 })
      world.manners.pay = ({ payment }) => {
        if (payment.validBefore * 1000 < world.sentAtMs.at(-1)! + 6_000) return lapsed
        return isDown ? lost : undefined
      }
      yield* pass(240)
      yield* startFor(900)
      assert.deepInclude(yield* readTask(ann.task), { status: "processing", retry_count: 0, error_message: null })
      isDown = false
      yield* pass(600)
      yield* isDoneOnce(ann, 5)
    })
  }

  for (const [name, haltAfter] of [
    ["before it is made", 0],
    ["while it is on its way", 1]
  ] as const) {
    test(`costs no retry where the chain stands still ${name}, whatever the server says to it`, function* (world) {
      const ann = yield* paidOrder("ann", 5)
      world.manners.offer = (offer) => ({ ...offer, maxTimeoutSeconds: 60 })
      world.manners.pay = ({ payment }) => {
        if (payment.validBefore * 1000 < world.sentAtMs.at(-1)! + 6_000 || world.isHalted) return lapsed
        return haltAfter === 1 && world.payments.length === 1 ? lost : undefined
      }
      world.manners.quote = () =>
        haltAfter === 0 && !world.isHalted ? new NoOffer({ reason: "Unavailable", message: "503" }) : undefined
      yield* pass(6)
      yield* startFor(haltAfter)
      world.halt(true)
      yield* pass(1_200)
      assert.isAtMost(world.quotedAtMs.length, 30, "and nobody is asked in a frenzy")
      world.halt(false)
      world.manners.quote = () => undefined
      yield* pass(300)
      yield* isDoneOnce(ann, 5)
    })
  }

  test("is signed again only when the chain is past the old window, however late that is", function* (world) {
    const ann = yield* paidOrder("ann", 5)
    world.manners.pay = () => lost
    yield* pass(6)
    yield* startFor(20)
    world.halt(true)
    yield* pass(1_000)
    assert.strictEqual(new Set(world.payments.map(({ signature }) => signature)).size, 1)
    world.halt(false)
    delete world.manners.pay
    yield* pass(90)
    yield* isDoneOnce(ann, 5)
  })

  test.each([
    { name: "in the last second of its window, long after it was given up, is found", answer: lost, afterSeconds: 293 },
    { name: "after three refusals completes its order", answer: refused, afterSeconds: 200 }
  ])("that is settled $name", function* (world, { answer, afterSeconds }) {
    const ann = yield* paidOrder("ann", 5)
    let settleLate: () => unknown = () => undefined
    world.manners.pay = ({ settle, mint }) => {
      settleLate = () => settle() && mint(5)
      return answer
    }
    yield* pass(6)
    yield* startFor(afterSeconds)
    assert.strictEqual((yield* readTask(ann.task)).retry_count, answer === refused ? 3 : 0)
    assert.isTrue(Boolean(settleLate()))
    yield* pass(140)
    yield* isDoneOnce(ann, 5)
  })

  test("that is refused three times fails its order only when it can never be settled any more", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.manners.pay = () => refused
    yield* pass(6)
    yield* startFor(295)
    assert.deepInclude(yield* readTask(task), {
      status: "processing",
      retry_count: 3,
      error_message: `Refused 3 of 3 times, no further try: ${refused.reason}`
    })
    assert.strictEqual(world.payments.length, 3)
    const other = yield* order(who, 5)
    yield* pass(4)
    assert.strictEqual((yield* readTask(other)).status, "pending_payment", "its money may be gone yet")
    yield* pass(70)
    assert.deepInclude(yield* readTask(task), {
      status: "failed",
      error_message: `Exceeded retry limit after 3 attempts. Last error: ${refused.reason}`
    })
    delete world.manners.pay
    yield* pass(40)
    assert.strictEqual((yield* readTask(other)).status, "completed")
    assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
  })

  test("whose server says accepted and never settles is made in the next window", function* (world) {
    const ann = yield* paidOrder("ann", 5)
    world.manners.pay = () => accepted()
    yield* startFor(250)
    assert.strictEqual((yield* readTask(ann.task)).status, "processing")
    assert.strictEqual(new Set(world.payments.map(({ signature }) => signature)).size, 1)
    yield* pass(150)
    assert.strictEqual(new Set(world.payments.map(({ signature }) => signature)).size, 2)
    delete world.manners.pay
    yield* pass(180)
    yield* isDoneOnce(ann, 5)
  })

  const misuses = [
    { misuse: "cancelled", says: "its nonce was cancelled on chain: it can never be paid", when: "after" },
    { misuse: "used", says: "its nonce was used for another transfer than the one signed here", when: "after" },
    { misuse: "cancelled", says: "its nonce was cancelled on chain: it can never be paid", when: "before" },
    { misuse: "used", says: "its nonce was used for another transfer than it is for", when: "before" }
  ] as const
  onDatabase.each(misuses)(
    "whose nonce was $misuse elsewhere $when it was signed is held, with an alarm, and never made",
    function* (world, { misuse, says, when }) {
      const { who, task } = yield* paidOrder("ann", 5)
      const misused = (nonce: Bytes32) => {
        if (misuse === "cancelled") world.cancelAuthorization(who.agentAddress, nonce)
        else world.useElsewhere(who.agentAddress, nonce, THIEF, usdc(5_000_000n))
      }
      if (when === "after") world.manners.pay = ({ payment }) => (misused(payment.nonce), lost)
      else world.manners.quote = () => new NoOffer({ reason: "Unavailable", message: "mint server answered 503" })
      yield* pass(6)
      yield* start
      if (when === "before") misused(yield* nonceOf(task))
      yield* pass(4)
      delete world.manners.quote
      yield* pass(600)
      const error_message = `Held for the operator: batch 1: ${says}`
      assert.deepInclude(yield* readTask(task), { status: "processing", error_message })
      assert.strictEqual(yield* heldReason(task), error_message)
      assert.strictEqual(yield* logged("[ERROR] 🚨"), 1)
      assert.strictEqual(world.payments.length, when === "after" ? 1 : 0)
      assert.deepStrictEqual(
        world.paidBy(who.agentAddress).map(({ to }) => to),
        misuse === "used" ? [THIEF] : []
      )
    }
  )

  test("whose server minted and never settled is held: nothing is minted twice", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.manners.pay = mints(5, lost)
    yield* startFor(600)
    const says = "Held for the operator: batch 1: 5 mints were made and never paid for"
    assert.deepInclude(yield* readTask(task), { status: "processing", error_message: says })
    assert.strictEqual(world.mintsTo(who.userAddress), 5)
    assert.strictEqual(world.paidBy(who.agentAddress).length, 0)
    assert.isAtMost(world.payments.length, 2, "not asked for again once the mints are seen")
  })

  test("whose mints were seen is not sent again where the next node lacks their logs", function* (world) {
    yield* paidOrder("ann", 5)
    world.manners.pay = mints(5, lost)
    yield* startFor(60)
    const sent = world.payments.length
    world.mints.length = 0
    yield* pass(120)
    assert.strictEqual(world.payments.length, sent)
  })

  stories(it, inMemory({ authorizationWindow: Duration.seconds(45) }))(
    "that lapsed while the server thought about its offer is not sent any more",
    function* (world) {
      const ann = yield* paidOrder("ann", 5)
      const sentMs: Array<readonly [number, number]> = []
      world.manners.pay = ({ payment }) => {
        sentMs.push([world.sentAtMs.at(-1) ?? 0, payment.validBefore * 1000])
        if (sentMs.length > 1) delete world.manners.delay
        return sentMs.length > 1 ? undefined : lost
      }
      yield* startFor(12)
      assert.strictEqual(sentMs.length, 1)
      world.manners.delay = (request) => (request === "quote" ? Effect.sleep("50 seconds") : Effect.void)
      yield* pass(300)
      for (const [atMs, validBeforeMs] of sentMs) assert.isBelow(atMs, validBeforeMs)
      yield* isDoneOnce(ann, 5)
    }
  )
})
