import { assert, layer } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { ChainError } from "../../src/chain/ChainClient.ts"
import { address } from "../../src/domain/Address.ts"
import type { Offer } from "../../src/domain/Offer.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { NoOffer } from "../../src/mint/Minter.ts"
import * as Postgres from "../support/Postgres.ts"
import { LogLines, inMemory, onWorld, pass, start, startFor } from "../support/executor.ts"
import { order, paidOrder, readBatches, readTask, TOKEN } from "../support/orders.ts"
import { stories } from "../support/stories.ts"

const THIEF = address(`0x${"bad".padStart(40, "0")}`)
const USDC = "0xfe61d4f698f24537e88919787ff53081d6bc60c2"

const badOffers: ReadonlyArray<{ readonly name: string; readonly change: Partial<Offer>; readonly says: string }> = [
  {
    name: "at a higher price",
    change: { amount: 5_000_001n },
    says: "the server asks 5.000001 USDC for 5 mints, the quote is 5.00"
  },
  {
    name: "for nothing",
    change: { amount: 0n },
    says: "the server asks 0.00 USDC, which is nothing to sign for"
  },
  {
    name: "in another asset",
    change: { asset: THIEF },
    says: `the server asks for another asset ${THIEF}, USDC is ${USDC}`
  },
  {
    name: "paid to somebody else",
    change: { payTo: THIEF },
    says: `the server wants to be paid at ${THIEF}, which is neither the token nor in MINT_PAY_TO`
  },
  {
    name: "paid on another chain",
    change: { network: "eip155:1" },
    says: "the server wants to be paid on chain eip155:1, the task is on eip155:31337"
  },
  {
    name: "by another scheme",
    change: { scheme: "upto" },
    says: "the server asks for the payment scheme upto, only exact can be paid"
  }
]

const seconds = (times: ReadonlyArray<number>, since: number) => times.map((atMs) => (atMs - since) / 1000)

layer(Postgres.session())("a mint server that", (it) => {
  const test = stories(it, inMemory({ logLevel: "Info" }))
  const onDatabase = stories(it, onWorld())

  for (const { name, change, says } of badOffers) {
    stories(it, inMemory())(
      `sells ${name} gets no signature, is asked again after 5 s and 30 s, and the order fails`,
      function* (world) {
        const { who, task } = yield* paidOrder("ann", 5)
        world.manners.offer = (offer) => ({ ...offer, ...change })
        yield* pass(6)
        const startedMs = yield* Clock.currentTimeMillis
        yield* start
        assert.deepInclude(yield* readTask(task), {
          status: "processing",
          retry_count: 1,
          error_message: `Retry 1/3: ${says}`
        })
        yield* pass(5)
        assert.deepInclude(yield* readTask(task), { retry_count: 2, error_message: `Retry 2/3: ${says}` })
        yield* pass(30)
        const failed = yield* readTask(task)
        const error_message = `Exceeded retry limit after 3 attempts. Last error: ${says}`
        assert.deepInclude(failed, { status: "failed", retry_count: 3, mints_failed: 5, error_message })
        assert.strictEqual(failed.completed_ms, startedMs + 35_000)
        assert.deepStrictEqual(seconds(world.quotedAtMs, startedMs), [0, 5, 35])
        yield* pass(300)
        assert.strictEqual(world.quotedAtMs.length, 3)
        assert.strictEqual(world.payments.length, 0)
        assert.strictEqual(world.balance(who.agentAddress), 5_000_000n)
      }
    )
  }

  stories(it, inMemory({ mintPayTo: [THIEF] }))(
    "wants to be paid at an address of MINT_PAY_TO is paid there",
    function* (world) {
      const { who, task } = yield* paidOrder("ann", 5)
      world.manners.offer = (offer) => ({ ...offer, payTo: THIEF })
      yield* startFor(40)
      assert.strictEqual((yield* readTask(task)).status, "completed")
      assert.deepStrictEqual(
        world.paidBy(who.agentAddress).map(({ to }) => to),
        [THIEF]
      )
    }
  )

  stories(it, inMemory())("sells a token that is sold out is not asked, and all its orders fail", function* (world) {
    world.supply = 4n
    const orders = yield* Effect.forEach(["ann", "bob", "eve", "joe"], (name) => paidOrder(name, 5))
    const fits = yield* paidOrder("kim", 4)
    yield* pass(6)
    yield* start
    const says = "the token allows 4 more mints, this batch needs 5"
    yield* pass(60)
    for (const { task } of orders) {
      const error_message = `Exceeded retry limit after 3 attempts. Last error: ${says}`
      assert.deepInclude(yield* readTask(task), { status: "failed", error_message })
    }
    assert.strictEqual((yield* readTask(fits.task)).status, "completed")
    assert.strictEqual(world.payments.length, 1)
  })

  for (const reason of ["Unavailable"] as const) {
    test(`is unavailable for an hour costs no retry, is asked ever less often, and then sells`, function* (world) {
      const orders = [yield* paidOrder("ann", 5), yield* paidOrder("bob", 5)]
      world.manners.quote = () => new NoOffer({ reason, message: "mint server answered 503" })
      yield* startFor(3_600)
      for (const { task } of orders) {
        const error_message = "Waiting: mint server answered 503"
        assert.deepInclude(yield* readTask(task), { status: "processing", retry_count: 0, error_message })
      }
      assert.isAtMost(world.quotedAtMs.length, 2 * (5 + 60), "5, 10, 20, 40 s and then once a minute, for each")
      assert.isAtLeast(world.quotedAtMs.length, 60)
      const { all } = yield* LogLines
      const told = all.filter((line) => line.includes("⚠️ Minting is paused"))
      assert.isAtMost(told.length, 61)
      world.manners.quote = () => undefined
      yield* pass(90)
      for (const { task } of orders) assert.strictEqual((yield* readTask(task)).status, "completed")
    })
  }

  test("refuses three wallets alike fails none of them, and sells to all when it is repaired", function* (world) {
    const orders = yield* Effect.forEach(["ann", "bob", "eve", "joe"], (name) => paidOrder(name, 5))
    world.manners.quote = () => new NoOffer({ reason: "Refused", message: "mint server answered 403: maintenance" })
    yield* pass(6)
    yield* startFor(1_200)
    const seen = yield* Effect.forEach(orders, ({ task }) => readTask(task))
    assert.deepStrictEqual(
      seen.map(({ status }) => status),
      Array(4).fill("processing")
    )
    assert.isTrue(seen.every(({ retry_count }) => retry_count <= 1))
    assert.isAtMost(world.quotedAtMs.length, 4 * (6 + 20))
    world.manners.quote = () => undefined
    yield* pass(90)
    for (const { task } of orders) assert.strictEqual((yield* readTask(task)).status, "completed")
  })

  test("refuses the payments of three wallets alike fails none, and is asked ever less often", function* (world) {
    const orders = yield* Effect.forEach(["ann", "bob", "eve", "joe"], (name) => paidOrder(name, 5))
    world.manners.pay = () => ({ _tag: "Refused", reason: "mint server answered 402: invalid_domain" })
    yield* pass(6)
    yield* startFor(1_800)
    for (const { task, who } of orders) {
      assert.strictEqual((yield* readTask(task)).status, "processing")
      assert.strictEqual(world.paidBy(who.agentAddress).length, 0)
    }
    assert.isAtMost(world.payments.length, 4 * 6 * 8, "in each window after 5, 10, 20, 40 s and then once a minute")
    delete world.manners.pay
    yield* pass(120)
    for (const { task, who } of orders) {
      assert.strictEqual((yield* readTask(task)).status, "completed")
      assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
    }
  })

  onDatabase("refuses because the wallet's money is gone has the order held until it is back", function* (world) {
    const sql = yield* SqlClient.SqlClient
    const { who, task } = yield* paidOrder("ann", 5)
    yield* start
    world.onChainCall = (call) =>
      call === "findDeposits" && world.paidBy(who.agentAddress).length === 0
        ? Effect.sync(() => world.spend(who.agentAddress, THIEF, usdc(1_000_000n)))
        : Effect.void
    yield* pass(400)
    const reason = "Held for the operator: the agent wallet holds 4.00 USDC and this order needs 5.00"
    assert.deepInclude(yield* readTask(task), { status: "processing", error_message: reason })
    assert.strictEqual(world.paidBy(who.agentAddress).filter(({ to }) => to === TOKEN).length, 0)
    world.deposit(who.agentAddress, usdc(1_000_000n))
    yield* sql`UPDATE ai_agent_task_state SET held_at = NULL, held_reason = NULL`
    yield* pass(40)
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 5 })
  })

  test("is fine while the chain is not is paid nothing, no retry counts, and orders go on after", function* (world) {
    const { task } = yield* paidOrder("ann", 30)
    yield* startFor(13)
    world.chainFault = new ChainError({ reason: "Timeout", operation: "read", detail: "no answer" })
    const before = world.payments.length
    const asked = world.calls.length
    yield* pass(1_200)
    assert.strictEqual(world.payments.length, before)
    const calls = world.calls.slice(asked).filter((call) => call !== "readBalances")
    assert.isAtMost(calls.length, 30, "5, 10, 20, 40 s and then once a minute")
    assert.deepInclude(yield* readTask(task), { status: "processing", retry_count: 0 })
    world.chainFault = undefined
    yield* pass(120)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.deepStrictEqual(
      (yield* readBatches(task)).map(({ minted }) => minted),
      [10, 10, 10]
    )
  })

  stories(it, inMemory())("refuses one order lets the wallet's other order through", function* (world) {
    const other = address(`0x${"70".repeat(20)}`)
    const { who, task } = yield* paidOrder("ann", 5, { token_address: other })
    yield* pass(1)
    const second = yield* order(who, 4)
    world.deposit(who.agentAddress, usdc(4_000_000n))
    world.manners.quote = ({ token }) =>
      token === other ? new NoOffer({ reason: "Refused", message: "unknown token" }) : undefined
    yield* startFor(30)
    assert.strictEqual((yield* readTask(second)).status, "completed")
    assert.strictEqual((yield* readTask(task)).status, "processing")
    yield* pass(40)
    assert.strictEqual((yield* readTask(task)).status, "failed")
  })
})
