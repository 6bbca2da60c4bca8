import { assert } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { address } from "../../../src/domain/Address.ts"
import { ALL_PARTS, EVERY_WALLET, rangesOf } from "../../../src/domain/Part.ts"
import { zero } from "../../../src/domain/Usdc.ts"
import { TaskRepo } from "../../../src/ledger/TaskRepo.ts"
import { anyId } from "../../support/anyId.ts"
import { LedgerFixture } from "../../support/LedgerFixture.ts"
import {
  cost,
  firstPage,
  givenFunded,
  givenOrder,
  givenWallet,
  inCapitals,
  NOW_MS,
  ordersOf,
  PRICE,
  type Promises,
  TOKEN,
  uuid,
  workOf
} from "./given.ts"

/** Every wallet that a walk over all pages meets, in the order in which it meets them. */
const walk = Effect.fnUntraced(function* (walletsMax: number, ranges = EVERY_WALLET) {
  const repo = yield* TaskRepo
  const met: Array<string> = []
  let page = yield* repo.pendingPage({ cursor: undefined, walletsMax, ranges })
  met.push(...page.wallets.map(({ wallet }) => wallet.id))
  while (page.cursor !== undefined) {
    page = yield* repo.pendingPage({ cursor: page.cursor, walletsMax, ranges })
    met.push(...page.wallets.map(({ wallet }) => wallet.id))
  }
  return met
})

/** A wallet in the middle of a part. */
const walletIn = Effect.fnUntraced(function* (part: number) {
  const seed = part + 0x100
  const wallet = yield* givenWallet(seed)
  const id = anyId(`${(part * 8 + 3).toString(16).padStart(2, "0")}345678-0000-4000-8000-000000000000`)
  const userAddress = address(`0x${seed.toString(16)}`.padEnd(42, "e"))
  const agentAddress = address(`0x${seed.toString(16)}`.padEnd(42, "f"))
  yield* (yield* LedgerFixture).insertWallet({ id, userAddress, agentAddress })
  return { ...wallet, id, userAddress, agentAddress }
})

export const readingPromises = (promises: Promises): void => {
  promises("the wallets of pending orders are found by their addresses, in any case, and no others", function* () {
    const repo = yield* TaskRepo
    const [ann, ben, cid] = [yield* givenWallet(1), yield* givenWallet(2), yield* givenWallet(3)]
    yield* givenOrder(ann, { userAddress: inCapitals(ann.userAddress) })
    yield* givenOrder(ann)
    yield* givenFunded(ben)
    const held = yield* givenOrder(cid)
    yield* repo.hold([{ taskId: held, reason: "held" }], NOW_MS)
    assert.deepStrictEqual(yield* repo.pendingAddresses(10, EVERY_WALLET), [ann.agentAddress, ann.agentAddress])
    assert.lengthOf(yield* repo.pendingAddresses(1, EVERY_WALLET), 1)
    assert.deepStrictEqual(yield* repo.pendingAddresses(10, []), [])
    const addresses = [ann, ben, cid].map(({ agentAddress }) => agentAddress)
    const found = yield* repo.pendingAt(addresses, EVERY_WALLET)
    assert.deepStrictEqual(
      found.map(({ wallet }) => wallet.id),
      [ann.id]
    )
    assert.lengthOf(found[0]?.pending ?? [], 2)
    assert.deepStrictEqual(found[0], yield* ordersOf(ann))
    assert.deepStrictEqual(yield* repo.pendingAt(addresses, []), [])
    assert.deepStrictEqual(yield* repo.pendingAt([ben.agentAddress], EVERY_WALLET), [])
  })

  promises("an order that another program inserts waits for its money, its addresses read in lower case", function* () {
    const wallet = yield* givenWallet()
    const id = yield* givenOrder(wallet, {
      userAddress: inCapitals(wallet.userAddress),
      token: inCapitals(TOKEN)
    })
    const orders = yield* ordersOf(wallet)
    assert.deepInclude(orders, { version: 0n, provenBlock: 0n, reserved: zero, maybeSpent: zero, foreign: zero })
    assert.lengthOf(orders.pending, 1)
    assert.deepInclude(orders.pending[0], {
      id,
      walletId: wallet.id,
      userAddress: wallet.userAddress,
      token: TOKEN,
      quantity: 4,
      pricePerMint: PRICE,
      totalCost: cost(4),
      status: "pending_payment",
      mintsCompleted: 0,
      retryCount: 0,
      errorMessage: undefined,
      lastRefusal: undefined,
      createdAtMs: NOW_MS,
      startedAtMs: undefined,
      reserved: false,
      nextActionAtMs: undefined
    })
  })

  promises("a wallet that is stored in capitals is the same wallet, and its key is not printed", function* () {
    const { agentAddress, ...wallet } = yield* givenWallet()
    const userAddress = address(`0x${"ab".repeat(20)}`)
    const other = yield* (yield* LedgerFixture).insertWallet({
      userAddress: inCapitals(`0x${"ab".repeat(20)}`),
      agentAddress: inCapitals(`0x${"cd".repeat(20)}`),
      encryptedPrivateKey: "the key"
    })
    yield* givenOrder({ ...wallet, id: other, userAddress, agentAddress })
    const { wallet: read } = (yield* firstPage).wallets[0] ?? (yield* Effect.die("no wallet"))
    assert.strictEqual(read.userAddress, `0x${"ab".repeat(20)}`)
    assert.strictEqual(read.agentAddress, `0x${"cd".repeat(20)}`)
    assert.strictEqual(Redacted.value(read.encryptedPrivateKey), "the key")
    assert.notInclude(`${String(read.encryptedPrivateKey)} ${JSON.stringify(read)}`, "the key")
  })

  promises("the orders of a wallet come oldest first, whatever the order in which they were written", function* () {
    const wallet = yield* givenWallet()
    const newest = yield* givenOrder(wallet, { createdAtMs: NOW_MS + 2_000 })
    const oldest = yield* givenOrder(wallet, { createdAtMs: NOW_MS - 2_000 })
    const twin = yield* givenOrder(wallet, { id: uuid(0xffff), createdAtMs: NOW_MS })
    const first = yield* givenOrder(wallet, { id: uuid(0xfffe), createdAtMs: NOW_MS })
    const { pending } = yield* ordersOf(wallet)
    assert.deepStrictEqual(
      pending.map((task) => task.id),
      [oldest, first, twin, newest]
    )
  })

  promises("a walk over the pages meets every wallet once, at any page size", function* () {
    const ids = Array.from({ length: 7 }, (_, index) => uuid(index))
    const fixture = yield* LedgerFixture
    for (const [index, id] of ids.entries()) {
      const userAddress = address(`0x${index}`.padEnd(42, "e"))
      const wallet = { ...(yield* givenWallet(index)), userAddress }
      yield* fixture.insertWallet({ id, userAddress, agentAddress: `0x${index}`.padEnd(42, "f") })
      yield* givenOrder({ ...wallet, id })
      yield* givenOrder({ ...wallet, id })
    }
    for (const walletsMax of [1, 2, 3, 6, 7, 8]) assert.deepStrictEqual(yield* walk(walletsMax), ids)
  })

  promises("a walk through ranges of ids meets their wallets and no others, however many ranges", function* () {
    const repo = yield* TaskRepo
    const wallets = yield* Effect.forEach(ALL_PARTS, walletIn)
    yield* Effect.forEach(wallets, (wallet) => givenOrder(wallet))
    const ids = wallets.map(({ id }) => id)
    const odd = ALL_PARTS.filter((part) => part % 2 === 1)
    for (const parts of [odd, [0], [31], [3, 4, 5], [0, 8, 9, 30, 31], ALL_PARTS, []]) {
      const expected = parts.flatMap((part) => ids[part] ?? [])
      for (const walletsMax of [1, 3, 40]) assert.deepStrictEqual(yield* walk(walletsMax, rangesOf(parts)), expected)
    }
    // What is left of the ranges is read from where a walk is, also where they have changed since.
    const [cursor, next] = ids.slice(20, 22)
    const later = yield* repo.pendingPage({ cursor, walletsMax: 40, ranges: rangesOf([19, 20, 21]) })
    assert.deepStrictEqual(
      later.wallets.map(({ wallet }) => wallet.id),
      next === undefined ? [] : [next]
    )
  })

  promises("wallets that have something to do are found by ranges of ids too, with an order or without", function* () {
    const repo = yield* TaskRepo
    const [low, high] = [yield* walletIn(2), yield* walletIn(29)]
    yield* givenFunded(low)
    yield* givenFunded(high)
    const found = (parts: ReadonlyArray<number>) => repo.dueWallets(NOW_MS, 10, rangesOf(parts))
    assert.deepStrictEqual(yield* found([2]), [low.id])
    assert.deepStrictEqual(yield* found([0, 29, 31]), [high.id])
    assert.deepStrictEqual(yield* found([3, 4]), [])
    assert.deepStrictEqual(yield* found([]), [])
    const idle = yield* repo.idlePage({ cursor: undefined, walletsMax: 10, ranges: rangesOf([0, 2]) })
    assert.deepStrictEqual(
      idle.wallets.map(({ wallet }) => wallet.id),
      [low.id]
    )
  })

  promises("a walk meets the wallet whose id comes before all others", function* () {
    const id = anyId("00000000-0000-0000-0000-000000000000")
    const userAddress = address(`0x${"e".repeat(40)}`)
    const wallet = { ...(yield* givenWallet()), userAddress }
    const fixture = yield* LedgerFixture
    yield* fixture.insertWallet({ id, userAddress, agentAddress: `0x${"f".repeat(40)}` })
    yield* givenOrder({ ...wallet, id })
    assert.deepStrictEqual(yield* walk(1), [id])
  })

  promises("a wallet that gets its order behind the cursor of a walk is met by the next walk", function* () {
    const repo = yield* TaskRepo
    const wallets = [yield* givenWallet(1), yield* givenWallet(2)].toSorted((a, b) => (a.id < b.id ? -1 : 1))
    const [early, late] = wallets as [(typeof wallets)[0], (typeof wallets)[0]]
    yield* givenOrder(late)
    const page = yield* repo.pendingPage({ cursor: undefined, walletsMax: 1 })
    yield* givenOrder(early)
    const rest = yield* repo.pendingPage({ cursor: page.cursor, walletsMax: 1 })
    assert.lengthOf(rest.wallets, 0)
    assert.deepStrictEqual(yield* walk(1), [early.id, late.id])
  })

  promises("only what waits for money is on the page, and only what has its money is work", function* () {
    const fixture = yield* LedgerFixture
    const wallet = yield* givenWallet()
    const pending = yield* givenOrder(wallet)
    const funded = yield* givenFunded(wallet)
    for (const status of ["completed", "failed", "cancelled"] as const) {
      yield* fixture.editTask(yield* givenOrder(wallet), { status })
    }
    const work = yield* workOf(wallet)
    assert.deepStrictEqual(
      (yield* ordersOf(wallet)).pending.map((task) => task.id),
      [pending]
    )
    assert.deepStrictEqual(
      work.tasks.map((task) => task.id),
      [funded.id]
    )
    assert.deepInclude(work.wallet, { id: wallet.id, agentAddress: wallet.agentAddress })
  })

  promises("an order with nothing but the required columns is an order", function* () {
    const fixture = yield* LedgerFixture
    const wallet = yield* givenWallet()
    const { id: walletId, userAddress } = wallet
    const money = { quantity: 2, pricePerMint: PRICE, totalCost: cost(2) }
    const id = yield* fixture.insertOrder({ walletId, userAddress, token: TOKEN, ...money })
    const { pending } = yield* ordersOf(wallet)
    assert.deepStrictEqual(
      pending.map((task) => task.id),
      [id]
    )
    assert.deepInclude(yield* fixture.readTask(id), { status: "pending_payment", mintsCompleted: 0, mintsFailed: 0 })
  })
}
