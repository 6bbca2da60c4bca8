import { assert } from "@effect/vitest"
import { Clock, Effect } from "effect"
import type { Batch } from "../../../src/domain/Batch.ts"
import { LIMIT_WINDOW_MS, type LimitScope } from "../../../src/domain/Limit.ts"
import { expire, sign } from "../../../src/domain/transferTransitions.ts"
import { KeyId } from "../../../src/domain/Key.ts"
import { usdc } from "../../../src/domain/Usdc.ts"
import { DecisionRepo } from "../../../src/ledger/DecisionRepo.ts"
import { TaskRepo, wasFirst } from "../../../src/ledger/TaskRepo.ts"
import { assertNoted, DECISION } from "./deciding.ts"
import {
  advance,
  batchOf,
  cut,
  funding,
  givenFoundPaid,
  givenPlanned,
  givenWallet,
  NOW_MS,
  ordersOf,
  OTHER_TOKEN,
  PRICE,
  type Promises,
  saveTask,
  signed,
  signedAmount,
  taskOf,
  TIP,
  TOKEN,
  uuid,
  workOf
} from "./given.ts"

/** Of a batch of two mints, at half of what it was quoted at. */
const SIGNED = usdc(1_500_000n)

const set = (scope: LimitScope, perDay: bigint, sinceMs = NOW_MS) =>
  Effect.flatMap(DecisionRepo, (repo) =>
    wasFirst(repo.setLimit({ scope, perDay: usdc(perDay), reason: "launch week", sinceMs }, DECISION))
  )

const remove = (scope: LimitScope) =>
  Effect.flatMap(DecisionRepo, (repo) => wasFirst(repo.removeLimit(scope, DECISION, NOW_MS)))

const used = (nowMs = NOW_MS) =>
  Effect.flatMap(DecisionRepo, (repo) =>
    Effect.map(repo.limits(nowMs), (all) => all.map((limit): readonly [string, bigint] => [limit.scope, limit.used]))
  )

/** The limits of the wallet of a batch, a moment later. The clock of the connections stands still meanwhile. */
const limitsOf = ({ walletId }: Pick<Batch, "walletId">) =>
  Effect.clockWith((clock) => {
    const later = Object.assign(Object.create(clock), { currentTimeMillis: Effect.succeed(NOW_MS + 20) })
    return Effect.map(Effect.provideService(workOf({ id: walletId }), Clock.Clock, later), ({ limits }) => limits)
  })

/** Signed at this time, for half of the quote. */
const signedAt = (batch: Batch, nowMs: number): Batch =>
  sign(
    batch,
    { amount: signedAmount(batch), payTo: batch.payTo, validAfter: 1, validBefore: 2, block: TIP.number },
    nowMs
  )

const claimAt = (batch: Batch, nowMs = NOW_MS) =>
  Effect.flatMap(TaskRepo, (repo) => wasFirst(repo.saveBatch({ before: batch, after: signedAt(batch, nowMs) }, nowMs)))

const lapse = (batch: Batch): Batch => expire(batch, { nowMs: NOW_MS, block: TIP })

/** The first batch of so many orders, each of another person. */
const batches = Effect.fnUntraced(function* (count: number, token = TOKEN) {
  return yield* Effect.forEach(Array.from({ length: count }), (_, n) =>
    Effect.gen(function* () {
      return yield* batchOf(yield* givenPlanned(yield* givenWallet(n + 1), { token }), 1)
    })
  )
})

const [all, ofToken] = ["all", `token:${TOKEN}`] as const

export const limitPromises = (promises: Promises): void => {
  promises("limits are told with what is used, and set and removed once", function* () {
    const [first] = yield* batches(1)
    assert.isDefined(first)
    yield* advance(first, signed)
    assert.isTrue(yield* set(ofToken, 5_000_000n))
    assert.isFalse(yield* set(ofToken, 5_000_000n))
    assert.isTrue(yield* set(ofToken, 6_000_000n))
    assert.isTrue(yield* set(all, 7_000_000n))
    assert.isTrue(yield* set(`user:${first.recipient}`, 8_000_000n))
    assert.isTrue(yield* set(`user:${TOKEN}`, 9_000_000n))
    const { limits } = yield* DecisionRepo
    assert.deepStrictEqual(
      (yield* limits(NOW_MS)).map(({ scope, perDay, used, reason, sinceMs }) => [scope, perDay, used, reason, sinceMs]),
      [
        [all, 7_000_000n, SIGNED, "launch week", NOW_MS],
        [ofToken, 6_000_000n, SIGNED, "launch week", NOW_MS],
        [`user:${TOKEN}`, 9_000_000n, 0n, "launch week", NOW_MS],
        [`user:${first.recipient}`, 8_000_000n, SIGNED, "launch week", NOW_MS]
      ].toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1))
    )
    assert.isTrue(yield* remove(all))
    assert.isFalse(yield* remove(all))
    yield* assertNoted({}, {}, {}, {}, {}, {})
  })

  for (const scope of [all, ofToken] as const) {
    promises(`nothing is signed beyond the limit of ${scope === all ? "all payments" : "a token"}`, function* () {
      const [first, second, third] = yield* batches(3)
      assert.isDefined(first)
      assert.isDefined(second)
      assert.isDefined(third)
      yield* set(scope, 2n * SIGNED)
      assert.isTrue(yield* claimAt(first))
      assert.isTrue(yield* claimAt(second), "to the last cent")
      assert.isFalse(yield* claimAt(third))
      assert.deepStrictEqual(yield* used(), [[scope, 2n * SIGNED]])
      assert.strictEqual((yield* batchOf(yield* taskOf({ id: third.walletId }, third.taskId), 1)).status, "planned")
      yield* set(scope, 3n * SIGNED)
      assert.isTrue(yield* claimAt(third))
    })
  }

  promises("a limit of one person or token covers no other", function* () {
    const [first, second] = yield* batches(2)
    assert.isDefined(first)
    assert.isDefined(second)
    yield* set(`user:${first.recipient}`, SIGNED - 1n)
    yield* set(`token:${OTHER_TOKEN}`, 1n)
    assert.isFalse(yield* claimAt(first))
    assert.isTrue(yield* claimAt(second))
    yield* remove(`user:${first.recipient}`)
    assert.isTrue(yield* claimAt(first))
  })

  promises("a limit of a key covers the orders that it placed, and no others", function* () {
    const [wallet, repo] = [yield* givenWallet(1), yield* TaskRepo]
    const [keyId, id] = [KeyId.make(uuid(0xe)), uuid(7)]
    const order = { id, wallet, token: TOKEN, quantity: 4, pricePerMint: PRICE }
    yield* (yield* DecisionRepo).createTask(order, { ...DECISION, keyId }, NOW_MS)
    yield* repo.fund([funding(yield* ordersOf(wallet), id)], TIP, NOW_MS)
    const funded = yield* taskOf(wallet, id)
    yield* repo.plan(funded, cut(funded, wallet, 2), NOW_MS)
    const other = yield* batchOf(yield* givenPlanned(yield* givenWallet(2)), 1)
    yield* set(`key:${keyId}`, SIGNED)
    assert.isTrue(yield* claimAt(other))
    assert.deepStrictEqual(yield* used(), [[`key:${keyId}`, 0n]])
    const batch = yield* batchOf(funded, 1)
    assert.strictEqual(batch.keyId, keyId)
    assert.strictEqual((yield* workOf(wallet)).limits[0]?.scope, `key:${keyId}`)
    assert.isTrue(yield* claimAt(batch))
    assert.deepStrictEqual(yield* used(), [[`key:${keyId}`, SIGNED]])
    yield* set(`key:${keyId}`, SIGNED - 1n)
    const paid = yield* advance(yield* batchOf(funded, 1), lapse)
    assert.isFalse(yield* claimAt(paid))
  })

  promises("claims that are made at once keep a limit together", function* () {
    yield* set(ofToken, 3n * SIGNED)
    const done = yield* Effect.forEach(yield* batches(6), (batch) => claimAt(batch), { concurrency: "unbounded" })
    assert.lengthOf(done.filter(Boolean), 3)
    assert.deepStrictEqual(yield* used(), [[ofToken, 3n * SIGNED]])
  })

  promises("what was signed 24 hours ago counts no longer", function* () {
    const [first, second] = yield* batches(2)
    assert.isDefined(first)
    assert.isDefined(second)
    yield* set(all, SIGNED)
    assert.isTrue(yield* claimAt(first))
    assert.isFalse(yield* claimAt(second, NOW_MS + LIMIT_WINDOW_MS - 1))
    assert.deepStrictEqual(yield* used(NOW_MS + LIMIT_WINDOW_MS - 1), [[all, SIGNED]])
    assert.deepStrictEqual(yield* used(NOW_MS + LIMIT_WINDOW_MS), [[all, 0n]])
    assert.isTrue(yield* claimAt(second, NOW_MS + LIMIT_WINDOW_MS))
  })

  promises("a payment that is void gives back what it used, and counts again when it is signed anew", function* () {
    const [first, second] = yield* batches(2)
    assert.isDefined(first)
    assert.isDefined(second)
    yield* set(all, SIGNED)
    const lapsed = yield* advance(yield* advance(first, signed), lapse)
    assert.deepStrictEqual(yield* used(), [[all, 0n]])
    assert.isTrue(yield* claimAt(lapsed))
    assert.deepStrictEqual(yield* used(), [[all, SIGNED]])
    assert.isFalse(yield* claimAt(second))
  })

  promises("a payment that only the chain knew counts from when it was found", function* () {
    yield* set(all, 1n)
    yield* givenFoundPaid(yield* givenWallet())
    assert.deepStrictEqual(yield* used(), [[all, 6_000_000n]])
  })

  promises("the work of a wallet says what its limits are, and when enough of them comes free", function* () {
    const [first, second, third] = yield* batches(3)
    assert.isDefined(first)
    assert.isDefined(second)
    assert.isDefined(third)
    assert.deepStrictEqual(yield* limitsOf(third), [])
    yield* claimAt(first, NOW_MS)
    yield* claimAt(second, NOW_MS + 10)
    yield* set(`token:${OTHER_TOKEN}`, 1n)
    yield* set(ofToken, 6_000_000n)
    const limit = { scope: ofToken, perDay: usdc(6_000_000n), used: usdc(2n * SIGNED) }
    const free = (ms: number) => ({ atMs: NOW_MS + ms + LIMIT_WINDOW_MS, amount: SIGNED })
    // The batch may cost three dollars: there is just room for it.
    assert.deepStrictEqual(yield* limitsOf(third), [{ ...limit, frees: [] }])
    yield* set(ofToken, 5_999_999n)
    const less = { ...limit, perDay: usdc(5_999_999n) }
    assert.deepStrictEqual(yield* limitsOf(third), [{ ...less, frees: [free(0)] }])
    yield* set(ofToken, 4_000_000n)
    const least = { ...limit, perDay: usdc(4_000_000n), frees: [free(0), free(10)] }
    assert.deepStrictEqual(yield* limitsOf(third), [least])
  })

  promises("an order that waits for a limit is due again once a limit was changed", function* () {
    const wallet = yield* givenWallet()
    const task = yield* givenPlanned(wallet)
    const other = yield* givenPlanned(wallet, { token: OTHER_TOKEN })
    const later = NOW_MS + 60_000
    yield* saveTask(task, { nextActionAtMs: later, limitedSinceMs: NOW_MS })
    yield* saveTask(other, { nextActionAtMs: later })
    const { dueWallets } = yield* TaskRepo
    assert.deepInclude(yield* taskOf(wallet, task.id), { limitedSinceMs: NOW_MS, nextActionAtMs: later })
    assert.deepStrictEqual(yield* dueWallets(NOW_MS, 10), [])
    yield* set(all, 1n)
    assert.deepInclude(yield* taskOf(wallet, task.id), { limitedSinceMs: NOW_MS, nextActionAtMs: undefined })
    assert.strictEqual((yield* taskOf(wallet, other.id)).nextActionAtMs, later, "it waits for something else")
    assert.deepStrictEqual(yield* dueWallets(NOW_MS, 10), [wallet.id])
    yield* saveTask(yield* taskOf(wallet, task.id), { nextActionAtMs: later, limitedSinceMs: null })
    assert.isUndefined((yield* taskOf(wallet, task.id)).limitedSinceMs)
    yield* remove(all)
    assert.strictEqual((yield* taskOf(wallet, task.id)).nextActionAtMs, later)
  })
}
