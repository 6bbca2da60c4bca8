import { assert } from "@effect/vitest"
import type { Wallet } from "../../../src/domain/Wallet.ts"
import type { OrderInsert } from "../../support/memory/MemoryLedger.ts"
import { TaskRepo } from "../../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../../support/LedgerFixture.ts"
import { cost, firstPage, givenOrder, givenWallet, NOW_MS, ordersOf, type Promises, uuid, workOf } from "./given.ts"

const HELD = "Held, this order cannot be carried out: "

/** What is wrong with an order, and how the operator is told. */
const faults: ReadonlyArray<{ readonly name: string; readonly order: Partial<OrderInsert>; readonly says: string }> = [
  {
    name: "for a person without an address",
    order: { userAddress: "0x12" },
    says: 'user_address "0x12" is not an address'
  },
  {
    name: "for a token without an address",
    order: { token: "USDC" },
    says: 'token_address "USDC" is not an address'
  },
  {
    name: "to the zero address",
    order: { userAddress: `0x${"0".repeat(40)}` },
    says: `user_address "0x${"0".repeat(40)}" is not an address`
  },
  {
    name: "for no mint",
    order: { quantity: 0, totalCost: 0n },
    says: "quantity is 0, it must be 1 to 1000"
  },
  {
    name: "for more mints than an order may have",
    order: { quantity: 1001 },
    says: "quantity is 1001, it must be 1 to 1000"
  },
  {
    name: "at no price",
    order: { pricePerMint: 0n },
    says: "price_per_mint is 0.00 USDC, it must be more than 0"
  },
  {
    name: "at another cost than quantity times price",
    order: { totalCost: cost(4) + 1n },
    says: "total_cost is 6.000001 USDC, price_per_mint × quantity is 6.00 USDC"
  },
  {
    name: "at a cost that no wallet can hold",
    order: { pricePerMint: 2n ** 63n - 1n, quantity: 1000, totalCost: 2n ** 63n - 1n },
    says: "total_cost is 9223372036854.775807 USDC, price_per_mint × quantity is 9223372036854775.807 USDC"
  }
]

export const badRowPromises = (promises: Promises): void => {
  for (const { name, order, says } of faults) {
    promises(`an order ${name} is bad for a reason in words, and the wallet's next order is not`, function* () {
      const wallet = yield* givenWallet()
      const bad = yield* givenOrder(wallet, order)
      const good = yield* givenOrder(wallet)
      assert.deepStrictEqual((yield* firstPage).bad, [{ taskId: bad, reason: HELD + says }])
      assert.deepStrictEqual(
        (yield* ordersOf(wallet)).pending.map((task) => task.id),
        [good]
      )
    })
  }

  promises("a bad order keeps its money from the look on that finds it, as it does when it is held", function* () {
    const wallet = yield* givenWallet()
    const bad = yield* givenOrder(wallet, { totalCost: cost(4) + 1n })
    yield* givenOrder(wallet)
    const { held } = yield* ordersOf(wallet)
    assert.deepStrictEqual(
      held.map(({ id, totalCost }) => [id, totalCost]),
      [[bad, cost(4) + 1n]]
    )
    yield* (yield* TaskRepo).hold([{ taskId: bad, reason: HELD }], NOW_MS)
    assert.deepStrictEqual((yield* ordersOf(wallet)).held, held)
  })

  promises("an order with several faults tells all of them at once", function* () {
    yield* givenOrder(yield* givenWallet(), { token: "?", quantity: 0, pricePerMint: -2n, totalCost: 7n })
    const reason =
      'token_address "?" is not an address; quantity is 0, it must be 1 to 1000; ' +
      "price_per_mint is -0.000002 USDC, it must be more than 0; total_cost is 0.000007 USDC, price_per_mint × quantity is 0.00 USDC"
    assert.deepStrictEqual(
      (yield* firstPage).bad.map((bad) => bad.reason),
      [HELD + reason]
    )
  })

  promises("an order of a wallet that does not exist is bad, and so is a funded one", function* () {
    const nobody: Wallet = { ...(yield* givenWallet()), id: uuid(0xffff_0404) }
    const pending = yield* givenOrder(nobody)
    const funded = yield* givenOrder(nobody)
    yield* (yield* LedgerFixture).editTask(funded, { status: "funded" })
    const reason = `${HELD}agent_wallet_id ${nobody.id} is not in ai_agent_wallets`
    assert.deepStrictEqual(yield* firstPage, {
      wallets: [],
      bad: [{ taskId: pending, reason }],
      cursor: undefined
    })
    const work = yield* workOf(nobody)
    assert.deepStrictEqual(work.bad, [{ taskId: funded, reason }])
    assert.deepInclude(work, { wallet: undefined, tasks: [], batches: [] })
  })

  for (const [column, row] of [
    ["user_address", { userAddress: "nobody", agentAddress: `0x${"a".repeat(40)}` }],
    ["agent_address", { userAddress: `0x${"a".repeat(40)}`, agentAddress: "0xabc" }]
  ] as const) {
    promises(`all orders of a wallet whose ${column} is no address are bad, and no other wallet's`, function* () {
      const sound = yield* givenWallet()
      const id = yield* (yield* LedgerFixture).insertWallet(row)
      const good = yield* givenOrder(sound)
      const bad = [yield* givenOrder({ ...sound, id }), yield* givenOrder({ ...sound, id })]
      const page = yield* firstPage
      assert.deepStrictEqual(page.bad.map(({ taskId }) => taskId).toSorted(), bad.toSorted())
      for (const { reason } of page.bad) {
        assert.strictEqual(reason, `${HELD}${column} of agent wallet ${id} is not an address`)
      }
      assert.deepStrictEqual(
        page.wallets.flatMap(({ pending }) => pending.map((task) => task.id)),
        [good]
      )
    })
  }

  promises(
    "a funded row that makes no sense neither stops the reading of its wallet nor frees money of it",
    function* () {
      const fixture = yield* LedgerFixture
      const wallet = yield* givenWallet()
      const broken = yield* givenOrder(wallet, { totalCost: 1n })
      yield* fixture.editTask(broken, { status: "funded", mintsCompleted: 4 })
      const vast = yield* givenOrder(wallet, { pricePerMint: 2n ** 62n, quantity: 1, totalCost: 1n })
      yield* fixture.editTask(vast, { status: "processing", mintsCompleted: 1000 })
      const sound = yield* givenOrder(wallet)
      yield* fixture.editTask(sound, { status: "funded" })
      yield* givenOrder(wallet)
      assert.strictEqual((yield* ordersOf(wallet)).reserved, cost(4))
      const work = yield* workOf(wallet)
      assert.deepStrictEqual(
        work.tasks.map((task) => task.id),
        [sound]
      )
      assert.deepStrictEqual(work.bad.map(({ taskId }) => taskId).toSorted(), [broken, vast].toSorted())
    }
  )
}
