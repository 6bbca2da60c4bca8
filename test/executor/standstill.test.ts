import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { ChainError } from "../../src/chain/ChainClient.ts"
import { address } from "../../src/domain/Address.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import type { PaymentAnswer } from "../../src/mint/Minter.ts"
import * as Incidents from "../../src/ops/Incidents.ts"
import * as Postgres from "../support/Postgres.ts"
import { launch, inMemory, onWorld, pass, startFor } from "../support/executor.ts"
import { heldReason, order, paidOrder, readBatches, readTask, TOKEN, unpaidOrder } from "../support/orders.ts"
import { stories } from "../support/stories.ts"
import { World } from "../support/World.ts"
import { logged } from "./given.ts"

const OTHER = address(`0x${"70".repeat(20)}`)

const incidents = Effect.map(Incidents.open, (open) => open.map(({ key, stopsMoney }) => ({ key, stopsMoney })))

const inMemoryWithIncidents = <A, E, R>(test: Effect.Effect<A, E, R>) =>
  test.pipe(inMemory({ logLevel: "Info" }), Effect.provide(Incidents.layer))

const onWorldWithIncidents = <A, E, R>(test: Effect.Effect<A, E, R>) =>
  test.pipe(onWorld({ logLevel: "Info" }), Effect.provide(Incidents.layer))

layer(Postgres.session())("while USDC is paused", (it) => {
  const test = stories(it, inMemoryWithIncidents)

  test("paid orders wait without a try burnt, an operator is told, and they go on by themselves", function* (world) {
    const orders = [yield* paidOrder("ann", 5), yield* paidOrder("bob", 5)]
    world.isPaused = true
    yield* startFor(600)
    for (const { task } of orders) {
      const { status, retry_count } = yield* readTask(task)
      assert.deepStrictEqual([status, retry_count], ["processing", 0])
    }
    assert.deepStrictEqual([world.payments.length, world.quotedAtMs.length], [0, 0])
    assert.deepStrictEqual(yield* incidents, [{ key: "usdc-paused", stopsMoney: true }])
    world.isPaused = false
    yield* pass(90)
    for (const { task } of orders) assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.deepStrictEqual(yield* incidents, [])
    assert.isAbove(yield* logged("USDC moves again"), 0)
  })

  it.effect.each<Exclude<PaymentAnswer, { readonly _tag: "Accepted" }>>([
    { _tag: "Refused", reason: "sold out" },
    { _tag: "Unclear", whose: "unknown", reason: "kyt_provider_score" },
    { _tag: "Unclear", whose: "ours", reason: "invalid_payload" },
    { _tag: "Unclear", reason: "invalid_exact_evm_transaction_simulation_failed" }
  ])("what was signed a moment before is refused with $reason, which is not held against the order", (answer) =>
    Effect.gen(function* () {
      const world = yield* World
      const { who, task } = yield* paidOrder("ann", 5)
      // The pause comes while the payment is on its way.
      world.manners.pay = () => {
        world.isPaused = true
        return answer
      }
      yield* startFor(20)
      assert.deepStrictEqual(yield* incidents, [{ key: "usdc-paused", stopsMoney: true }])
      assert.include(String((yield* readBatches(task))[0]?.reason), `(${answer.reason})`)
      yield* pass(900)
      assert.deepInclude(yield* readTask(task), { status: "processing", retry_count: 0 })
      assert.isUndefined(yield* heldReason(task))
      delete world.manners.pay
      world.isPaused = false
      yield* pass(120)
      assert.strictEqual((yield* readTask(task)).status, "completed")
      assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
    }).pipe(inMemoryWithIncidents)
  )

  test("no order is cancelled that nobody could pay", function* (world) {
    const { who } = yield* paidOrder("ann", 5)
    const unpaid = yield* order(who, 7)
    world.isPaused = true
    yield* startFor(700)
    assert.strictEqual((yield* readTask(unpaid)).status, "pending_payment")
    world.isPaused = false
    yield* pass(20)
    assert.strictEqual((yield* readTask(unpaid)).status, "cancelled")
  })
})

layer(Postgres.session())("on USDC's blacklist", (it) => {
  const test = stories(it, inMemoryWithIncidents)

  test("a wallet has all its paid orders held at once with the reason, and others are paid", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    yield* pass(1)
    const second = yield* order(who, 4, { token_address: OTHER })
    world.deposit(who.agentAddress, usdc(4_000_000n))
    const free = yield* paidOrder("bob", 5)
    world.blacklisted.add(who.agentAddress)
    yield* pass(6)
    yield* startFor(5)
    const reason = `Held for the operator: the agent wallet ${who.agentAddress} is on USDC's blacklist: it can neither pay nor be paid`
    for (const one of [task, second]) {
      assert.strictEqual(yield* heldReason(one), reason)
      assert.strictEqual((yield* readTask(one)).retry_count, 0)
    }
    yield* pass(30)
    assert.strictEqual((yield* readTask(free.task)).status, "completed")
    assert.strictEqual(world.paidBy(who.agentAddress).length, 0)
    assert.deepStrictEqual(yield* incidents, [])
  })

  test("a wallet has its unpaid order held too, which nobody could pay, and not cancelled", function* (world) {
    const { who, task } = yield* unpaidOrder("ann", 5)
    world.blacklisted.add(who.agentAddress)
    yield* startFor(20)
    assert.include(yield* heldReason(task), `${who.agentAddress} is on USDC's blacklist`)
    yield* pass(700)
    assert.strictEqual((yield* readTask(task)).status, "pending_payment")
  })

  test("a payee has the order held that would pay it, and the wallet's other order is paid", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    yield* pass(1)
    const second = yield* order(who, 4, { token_address: OTHER })
    world.deposit(who.agentAddress, usdc(4_000_000n))
    world.blacklisted.add(TOKEN)
    yield* pass(6)
    yield* startFor(40)
    assert.include(yield* heldReason(task), `${TOKEN} is on USDC's blacklist`)
    assert.strictEqual((yield* readTask(second)).status, "completed")
    assert.strictEqual(world.payments.length, 1)
  })

  stories(it, inMemory({ mintPayTo: [OTHER] }))(
    "a payee that the server does not ask to be paid at is no obstacle",
    function* (world) {
      const { task } = yield* paidOrder("ann", 5)
      world.blacklisted.add(TOKEN)
      world.manners.offer = (offer) => ({ ...offer, payTo: OTHER })
      yield* startFor(40)
      assert.strictEqual((yield* readTask(task)).status, "completed")
    }
  )

  test("a wallet whose payment is on its way has the order held, and the payment is followed", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.manners.pay = () => {
      world.blacklisted.add(who.agentAddress)
      return { _tag: "Refused", reason: "invalid_exact_evm_payload" }
    }
    yield* startFor(20)
    assert.include(yield* heldReason(task), "is on USDC's blacklist")
    yield* pass(400)
    assert.strictEqual((yield* readBatches(task))[0]?.status, "planned")
    assert.deepInclude(yield* readTask(task), { status: "processing", retry_count: 0 })
    assert.strictEqual(world.payments.length, 1)
  })
})

layer(Postgres.session())("when the code behind USDC changes", (it) => {
  const test = stories(it, inMemoryWithIncidents)
  const onDatabase = stories(it, onWorldWithIncidents)

  onDatabase("nothing is paid until a person has accepted it, and the log says so once", function* (world) {
    const sql = yield* SqlClient.SqlClient
    yield* startFor(20)
    world.usdcCode = "0xbeef"
    yield* pass(20)
    const { task } = yield* paidOrder("ann", 5)
    yield* pass(60)
    assert.notStrictEqual((yield* readTask(task)).status, "completed")
    assert.strictEqual(world.payments.length, 0)
    assert.strictEqual(yield* logged("The code of USDC changed from 0xc0de to 0xbeef"), 1)
    yield* sql`DELETE FROM ai_agent_pauses`
    yield* pass(40)
    assert.strictEqual((yield* readTask(task)).status, "completed")
  })

  onDatabase("while the executor is down, it is paused at the start, before anything is paid", function* (world) {
    const first = yield* launch()
    yield* first.stop
    world.usdcCode = "0xbeef"
    const { task } = yield* paidOrder("ann", 5)
    yield* pass(6)
    yield* launch()
    yield* pass(60)
    assert.strictEqual(world.payments.length, 0)
    assert.notStrictEqual((yield* readTask(task)).status, "completed")
  })

  test("what one of two nodes alone says pauses nobody, and an operator hears of it", function* (world) {
    yield* startFor(20)
    world.codeTold = "0xbeef"
    world.codesBeside = ["0xc0de"]
    const { task } = yield* paidOrder("ann", 5)
    yield* pass(60)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.deepStrictEqual(yield* incidents, [{ key: "usdc-code", stopsMoney: false }])
    world.codeTold = undefined
    yield* pass(20)
    assert.deepStrictEqual(yield* incidents, [])
  })

  onDatabase("one wrong answer of the only node pauses nobody", function* (world) {
    const sql = yield* SqlClient.SqlClient
    yield* startFor(20)
    const looks = () => world.calls.filter((call) => call === "usdcCodes").length
    world.codeTold = "0xbeef"
    world.onChainCall = (call) =>
      Effect.sync(() => {
        if (call === "usdcCode" && looks() > 0) world.codeTold = undefined
      })
    yield* pass(30)
    assert.strictEqual(looks(), 1)
    assert.lengthOf(yield* sql`SELECT scope FROM ai_agent_pauses`, 0)
  })

  test("nothing is signed before the code was looked at since the start", function* (world) {
    const noCode = new ChainError({ reason: "Unavailable", operation: "read the code of USDC", detail: "503" })
    world.onChainCall = (call) => (call === "usdcCode" ? Effect.fail(noCode) : Effect.void)
    const { task } = yield* paidOrder("ann", 5)
    yield* startFor(120)
    assert.deepInclude(yield* readTask(task), { status: "processing", retry_count: 0 })
    assert.strictEqual(world.payments.length, 0)
    world.onChainCall = () => Effect.void
    yield* pass(120)
    assert.strictEqual((yield* readTask(task)).status, "completed")
  })

  onDatabase("it is seen while there is no wallet to look at", function* (world) {
    const sql = yield* SqlClient.SqlClient
    yield* startFor(20)
    world.usdcCode = "0xbeef"
    world.isPaused = true
    yield* pass(30)
    assert.lengthOf(yield* sql`SELECT scope FROM ai_agent_pauses`, 1)
    assert.deepStrictEqual(yield* incidents, [{ key: "usdc-paused", stopsMoney: true }])
  })
})
