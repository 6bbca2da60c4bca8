import { assert } from "@effect/vitest"
import { Redacted } from "effect"
import { address } from "../../../src/domain/Address.ts"
import { KeyId } from "../../../src/domain/Key.ts"
import { type Quote, QUOTE_MS, QuoteId, QUOTES_MAX } from "../../../src/domain/Quote.ts"
import type { Wallet } from "../../../src/domain/Wallet.ts"
import { DecisionRepo } from "../../../src/ledger/DecisionRepo.ts"
import { wasFirst } from "../../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../../support/LedgerFixture.ts"
import { DECISION } from "./deciding.ts"
import { givenWallet, inCapitals, NOW_MS, PRICE, type Promises, TOKEN, uuid } from "./given.ts"

const KEY = KeyId.make(uuid(500))

const quoteOf = (wallet: Wallet, seed: number, changes: Partial<Quote> = {}): Quote => ({
  id: QuoteId.make(uuid(seed)),
  keyId: KEY,
  walletId: wallet.id,
  token: TOKEN,
  quantity: 3,
  pricePerMint: PRICE,
  createdAtMs: NOW_MS,
  expiresAtMs: NOW_MS + QUOTE_MS,
  taskId: undefined,
  ...changes
})

const orderOf = (wallet: Wallet, seed: number, quoteId: QuoteId) => ({
  id: uuid(seed),
  wallet,
  token: TOKEN,
  quantity: 3,
  pricePerMint: PRICE,
  quoteId
})

export const preparingPromises = (promises: Promises): void => {
  promises("a quote is good for one order", function* () {
    const wallet = yield* givenWallet()
    const repo = yield* DecisionRepo
    const quote = quoteOf(wallet, 20)
    assert.isTrue(yield* repo.saveQuote(quote))
    assert.deepStrictEqual(yield* repo.findQuote(quote.id), quote)
    const [first, second] = [orderOf(wallet, 7, quote.id), orderOf(wallet, 8, quote.id)]
    assert.isTrue(yield* wasFirst(repo.createTask(first, DECISION, NOW_MS)))
    assert.isFalse(yield* wasFirst(repo.createTask(second, DECISION, NOW_MS)))
    assert.strictEqual((yield* repo.findQuote(quote.id))?.taskId, first.id)
    assert.isUndefined(yield* repo.findTask(second.id), "nothing is left of the second one")
  })

  promises("a quote that has expired, or that there is not, is good for none", function* () {
    const wallet = yield* givenWallet()
    const repo = yield* DecisionRepo
    const quote = quoteOf(wallet, 20)
    yield* repo.saveQuote(quote)
    const order = orderOf(wallet, 7, quote.id)
    assert.isFalse(yield* wasFirst(repo.createTask(order, DECISION, quote.expiresAtMs)))
    assert.isFalse(yield* wasFirst(repo.createTask({ ...order, quoteId: QuoteId.make(uuid(21)) }, DECISION, NOW_MS)))
    assert.isTrue(yield* wasFirst(repo.createTask(order, DECISION, quote.expiresAtMs - 1)))
  })

  promises("a key has so many unused quotes and no more, until they expire", function* () {
    const wallet = yield* givenWallet()
    const repo = yield* DecisionRepo
    const save = (seed: number, changes: Partial<Quote> = {}) => repo.saveQuote(quoteOf(wallet, seed, changes))
    for (let seed = 0; seed < QUOTES_MAX; seed++) assert.isTrue(yield* save(1_000 + seed))
    assert.isFalse(yield* save(1))
    assert.isTrue(yield* save(2, { keyId: undefined }), "those of another are not counted")
    const used = orderOf(wallet, 7, QuoteId.make(uuid(1_000)))
    assert.isTrue(yield* wasFirst(repo.createTask(used, DECISION, NOW_MS)))
    assert.isTrue(yield* save(1), "one that was used is not counted")
    assert.isFalse(yield* save(3))
    const createdAtMs = NOW_MS + QUOTE_MS
    assert.isTrue(yield* save(3, { createdAtMs, expiresAtMs: createdAtMs + QUOTE_MS }))
  })

  promises("an order has the key that placed it, and a decision the key that made it", function* () {
    const wallet = yield* givenWallet()
    const repo = yield* DecisionRepo
    const order = { id: uuid(7), wallet, token: TOKEN, quantity: 3, pricePerMint: PRICE }
    yield* wasFirst(repo.createTask(order, { ...DECISION, keyId: KEY }, NOW_MS))
    const fixture = yield* LedgerFixture
    assert.strictEqual(yield* fixture.readKeyOf(order.id), KEY)
    assert.strictEqual((yield* fixture.readDecisions)[0]?.keyId, KEY)
  })

  promises("a person gets one wallet, in whatever case the address is stored", function* () {
    const repo = yield* DecisionRepo
    const ann = yield* givenWallet(1)
    const create = (seed: number, userAddress: Wallet["userAddress"]) => {
      const agentAddress = address(`0x${String(seed).padStart(40, "f")}`)
      const wallet = { id: uuid(seed), userAddress, agentAddress, encryptedPrivateKey: ann.encryptedPrivateKey }
      return wasFirst(repo.createWallet(wallet as Wallet, DECISION, NOW_MS))
    }
    yield* (yield* LedgerFixture).editWallet(ann.id, { userAddress: inCapitals(ann.userAddress) })
    assert.isFalse(yield* create(40, ann.userAddress))
    assert.isFalse(yield* create(41, ann.agentAddress), "an agent wallet is no person")
    const bob = address(`0x${"b0".repeat(20)}`)
    assert.isTrue(yield* create(42, bob))
    assert.isFalse(yield* create(43, bob))
    const [found] = yield* repo.findWallets(bob)
    assert.strictEqual(found?.wallet?.userAddress, bob)
    assert.lengthOf(yield* repo.findWallets(bob), 1)
    const sealed = found?.wallet?.encryptedPrivateKey
    assert.strictEqual(sealed && Redacted.value(sealed), Redacted.value(ann.encryptedPrivateKey))
  })
}
