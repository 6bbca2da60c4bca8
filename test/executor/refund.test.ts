import { assert, layer } from "@effect/vitest"
import { Clock, Duration, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { local } from "../../src/config/Network.ts"
import { address } from "../../src/domain/Address.ts"
import { planRefund, type Refund } from "../../src/domain/Refund.ts"
import { withdraw } from "../support/operator.ts"
import { anyId } from "../support/anyId.ts"
import { onWorld, pass, start, startFor } from "../support/executor.ts"
import * as Postgres from "../support/Postgres.ts"
import { order, person, type Person, readTask } from "../support/orders.ts"
import { stories } from "../support/stories.ts"
import { World } from "../support/World.ts"
import { units } from "./given.ts"

const STRANGER = address(`0x${"5a".repeat(20)}`)

/** What the operator's command writes down. */
const ask = Effect.fnUntraced(function* (who: Person, amount: number) {
  const sql = yield* SqlClient.SqlClient
  const refund = planRefund({
    id: anyId("0e0f0000-0000-4000-8000-000000000001"),
    wallet: { id: who.walletId, userAddress: who.userAddress, agentAddress: who.agentAddress } as never,
    amount: units(amount),
    chainId: local.chainId,
    usdc: local.usdc.address,
    nowMs: yield* Clock.currentTimeMillis
  })
  yield* sql`INSERT INTO ai_agent_refunds ${sql.insert({
    id: refund.id,
    wallet_id: refund.walletId,
    payer: refund.payer,
    pay_to: refund.payTo,
    amount: refund.amount,
    nonce: refund.nonce,
    status: refund.status,
    next_action_at: new Date(refund.createdAtMs),
    reason: refund.reason ?? null,
    created_at: new Date(refund.createdAtMs),
    updated_at: new Date(refund.createdAtMs)
  })}`
  return refund
})

const statusOf = Effect.fnUntraced(function* ({ id }: Refund) {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ readonly status: string; readonly sends: number; readonly reason: string | null }>`
    SELECT status, sends, reason FROM ai_agent_refunds WHERE id = ${id}::uuid`
  return rows[0] ?? (yield* Effect.die("no such refund"))
})

/** A person whose wallet holds so many USDC that nobody asked for. */
const inCredit = Effect.fnUntraced(function* (amount: number) {
  const world = yield* World
  const who = yield* person("ann")
  world.deposit(who.agentAddress, units(amount))
  return { world, who }
})

layer(Postgres.session())("a refund", (it) => {
  const test = stories(it, onWorld())

  stories(it, onWorld({ authorizationWindow: Duration.seconds(30) }))(
    "that never gets on chain is held after three lapses with its money, until it is withdrawn",
    function* () {
      const { world, who } = yield* inCredit(5)
      const task = yield* order(who, 7)
      world.takesTransfers = false
      yield* startFor(20)
      const refund = yield* ask(who, 5)
      yield* pass(10)
      const live = yield* Effect.flip(withdraw(who.agentAddress, refund.id, "too slow"))
      assert.include(live.message, "may be taken to the chain at any moment")
      yield* pass(230)
      const { status, reason } = yield* statusOf(refund)
      assert.strictEqual(status, "held")
      assert.include(reason, "was not on chain in time 3 times")
      const { length } = world.submitted
      const nonces = new Set(world.submitted.map(({ nonce }) => nonce))
      assert.strictEqual(nonces.size, 1)
      world.deposit(who.agentAddress, units(2))
      yield* pass(60)
      assert.strictEqual(world.submitted.length, length, "nothing is sent any more")
      assert.strictEqual((yield* readTask(task)).status, "pending_payment", "its money is kept")
      const report = yield* withdraw(who.userAddress, refund.id.slice(0, 8), "the user is on the blacklist")
      assert.deepInclude(report, { refundId: refund.id, amount: units(5) })
      yield* pass(40)
      assert.deepInclude(yield* statusOf(refund), {
        status: "withdrawn",
        reason: "withdrawn: the user is on the blacklist"
      })
      assert.strictEqual((yield* readTask(task)).status, "completed", "it is credit again")
    }
  )

  test("goes to the wallet's user, once, and the chain proves it", function* () {
    const { world, who } = yield* inCredit(5)
    yield* start
    const refund = yield* ask(who, 5)
    yield* pass(40)
    assert.deepInclude(yield* statusOf(refund), { status: "paid" })
    assert.strictEqual(world.balance(who.userAddress), 5_000_000n)
    assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
  })

  test("reserves its money from the moment it is asked for", function* () {
    const { world, who } = yield* inCredit(5)
    world.takesTransfers = false
    yield* start
    const refund = yield* ask(who, 3)
    const task = yield* order(who, 5)
    yield* pass(60)
    assert.strictEqual((yield* readTask(task)).status, "pending_payment")
    world.takesTransfers = true
    yield* pass(120)
    assert.deepInclude(yield* statusOf(refund), { status: "paid" })
    world.deposit(who.agentAddress, units(3))
    yield* pass(40)
    assert.strictEqual((yield* readTask(task)).status, "completed")
  })

  test("that no block takes is sent again as it is, and signed anew with its nonce when it has lapsed", function* () {
    const { world, who } = yield* inCredit(5)
    world.takesTransfers = false
    yield* start
    const refund = yield* ask(who, 5)
    yield* pass(400)
    assert.isAbove(world.submitted.length, 3)
    assert.strictEqual(new Set(world.submitted.map(({ nonce }) => nonce)).size, 1)
    assert.isAbove(new Set(world.submitted.map(({ validBefore }) => validBefore)).size, 1)
    world.takesTransfers = true
    yield* pass(120)
    assert.deepInclude(yield* statusOf(refund), { status: "paid" })
    assert.strictEqual(world.balance(who.userAddress), 5_000_000n)
  })

  test("that was paid before the ledger was restored is not paid again", function* () {
    const { world, who } = yield* inCredit(10)
    const refund = yield* ask(who, 5)
    world.useElsewhere(who.agentAddress, refund.nonce, who.userAddress, units(5))
    yield* pass(10)
    yield* startFor(40)
    assert.deepInclude(yield* statusOf(refund), { status: "paid" })
    assert.strictEqual(world.submitted.length, 0)
  })

  test("whose nonce somebody else used or cancelled waits for a person", function* () {
    const { world, who } = yield* inCredit(10)
    const refund = yield* ask(who, 5)
    world.useElsewhere(who.agentAddress, refund.nonce, STRANGER, units(5))
    yield* pass(10)
    yield* startFor(40)
    assert.deepInclude(yield* statusOf(refund), {
      status: "held",
      reason: "its nonce was used for another transfer"
    })
    assert.strictEqual(world.submitted.length, 0)
  })

  test("waits while USDC is paused, and is paid when it moves again", function* () {
    const { world, who } = yield* inCredit(5)
    world.isPaused = true
    const refund = yield* ask(who, 5)
    yield* startFor(100)
    const { status, reason } = yield* statusOf(refund)
    assert.strictEqual(status, "planned")
    assert.include(reason ?? "", "USDC is paused by its issuer")
    assert.strictEqual(world.submitted.length, 0)
    world.isPaused = false
    yield* pass(60)
    assert.strictEqual((yield* statusOf(refund)).status, "paid")
  })

  test("that is signed is not sent again while USDC is paused", function* () {
    const { world, who } = yield* inCredit(5)
    world.takesTransfers = false
    const refund = yield* ask(who, 5)
    yield* startFor(10)
    const sent = world.submitted.length
    assert.isAbove(sent, 0)
    world.isPaused = true
    yield* pass(120)
    assert.strictEqual(world.submitted.length, sent)
    assert.include((yield* statusOf(refund)).reason ?? "", "USDC is paused by its issuer")
    world.isPaused = false
    world.takesTransfers = true
    yield* pass(120)
    assert.strictEqual((yield* statusOf(refund)).status, "paid")
  })

  test("to a user on USDC's blacklist is held with its money, unsigned, until it is withdrawn", function* () {
    const { world, who } = yield* inCredit(5)
    world.blacklisted.add(who.userAddress)
    const refund = yield* ask(who, 5)
    yield* startFor(20)
    const reason = `${who.userAddress} is on USDC's blacklist: it cannot be paid`
    assert.deepInclude(yield* statusOf(refund), { status: "held", reason })
    assert.strictEqual(world.submitted.length, 0)
    const task = yield* order(who, 5)
    yield* pass(40)
    assert.strictEqual((yield* readTask(task)).status, "pending_payment", "its money is kept")
    yield* withdraw(who.agentAddress, refund.id, "it stays in the wallet")
    yield* pass(40)
    assert.strictEqual((yield* readTask(task)).status, "completed", "it is credit again")
  })

  test("waits, and says so, while there is no account that pays the gas", function* () {
    const { world, who } = yield* inCredit(5)
    world.gasAccount = undefined
    const refund = yield* ask(who, 5)
    yield* startFor(100)
    const { status, reason } = yield* statusOf(refund)
    assert.deepStrictEqual({ status, reason }, { status: "planned", reason: "AI_AGENT_PRIVATE_KEY is not set" })
    assert.strictEqual(world.submitted.length, 0)
  })
})
