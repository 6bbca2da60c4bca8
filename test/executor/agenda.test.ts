import { assert, describe, it } from "@effect/vitest"
import type { WalletId } from "../../src/domain/Wallet.ts"
import { Agenda, type Turn } from "../../src/executor/agenda.ts"

const NOW = 1_000_000
const wallet = (n: number) => `wallet ${n}` as WalletId
const [ann, ben] = [wallet(1), wallet(2)]
const dueIn = (ms: number): Turn => ({ dueMs: NOW + ms, inTrouble: false })
const begin = (agenda: Agenda) => agenda.begin().map(({ walletId }) => walletId)
const wake = (agenda: Agenda, who: WalletId, nowMs: number) =>
  agenda.note(who, { dueMs: nowMs, inTrouble: false }, nowMs)
const NOTHING: Turn = { dueMs: undefined, inTrouble: false }

describe("the agenda of the wallets", () => {
  it("gives a wallet one turn at a time, and another one where it was woken meanwhile", () => {
    const agenda = new Agenda(2)
    wake(agenda, ann, NOW)
    wake(agenda, ann, NOW)
    assert.deepStrictEqual(begin(agenda), [ann])
    wake(agenda, ann, NOW)
    assert.deepStrictEqual(begin(agenda), [])
    agenda.end(ann, NOTHING, NOW)
    assert.deepStrictEqual(begin(agenda), [ann])
    agenda.end(ann, NOTHING, NOW)
    assert.deepStrictEqual(begin(agenda), [])
    assert.strictEqual(agenda.size, 0)
  })

  it("gives wallets that are due almost together their turn in the same moment, by one timer", () => {
    const agenda = new Agenda(2)
    for (const one of [ann, ben]) wake(agenda, one, NOW)
    begin(agenda)
    assert.strictEqual(agenda.end(ann, dueIn(2_001), NOW), NOW + 2_020)
    assert.isUndefined(agenda.end(ben, dueIn(2_019), NOW))
    agenda.come(NOW + 2_020)
    assert.deepStrictEqual(begin(agenda), [ann, ben])
  })

  it("ends the pause of a wallet that is woken, and not its rest", () => {
    const agenda = new Agenda(2)
    for (const one of [ann, ben]) wake(agenda, one, NOW)
    begin(agenda)
    agenda.end(ann, dueIn(5_000), NOW)
    agenda.end(ben, { dueMs: NOW + 5_000, inTrouble: true }, NOW)
    for (const one of [ann, ben]) wake(agenda, one, NOW + 1_000)
    assert.deepStrictEqual(begin(agenda), [ann])
    agenda.come(NOW + 5_000)
    assert.deepStrictEqual(begin(agenda), [ben])
  })

  it("gives a wallet its turn when what a request left is due, and the earlier of two", () => {
    const agenda = new Agenda(2)
    assert.strictEqual(agenda.note(ann, dueIn(6_000), NOW), NOW + 6_000)
    assert.deepStrictEqual(begin(agenda), [])
    assert.isUndefined(agenda.note(ann, dueIn(7_000), NOW))
    assert.strictEqual(agenda.note(ann, dueIn(2_000), NOW), NOW + 2_000)
    agenda.come(NOW + 2_000)
    assert.deepStrictEqual(begin(agenda), [ann])
    agenda.note(ann, dueIn(6_000), NOW + 2_000)
    agenda.end(ann, NOTHING, NOW + 2_000)
    assert.deepStrictEqual(begin(agenda), [ann])
  })

  it("wakes a wallet by a block where a request left something that one may bring", () => {
    const agenda = new Agenda(2)
    agenda.newBlock(100n)
    agenda.note(ann, { dueMs: NOW + 6_000, inTrouble: false, awaitsBlock: true }, NOW)
    assert.isTrue(agenda.awaitsBlock)
    agenda.newBlock(101n)
    assert.deepStrictEqual(agenda.begin(), [{ walletId: ann, isForBlock: true }])
  })

  it("takes a rest once, and none of more than a minute", () => {
    const agenda = new Agenda(2)
    assert.strictEqual(agenda.note(ann, { dueMs: NOW + 3_600_000, inTrouble: true }, NOW), NOW + 60_000)
    assert.deepStrictEqual(begin(agenda), [])
    agenda.come(NOW + 60_000)
    assert.deepStrictEqual(begin(agenda), [ann])
    agenda.end(ann, dueIn(61_000), NOW + 60_000)
    wake(agenda, ann, NOW + 60_500)
    assert.deepStrictEqual(begin(agenda), [ann])
  })

  it("gives a wallet one turn at a time also where the clock is set back while it waits", () => {
    const agenda = new Agenda(2)
    wake(agenda, ann, NOW)
    begin(agenda)
    const tick = agenda.end(ann, { dueMs: NOW + 5_000, inTrouble: true }, NOW) ?? 0
    const setBack = NOW - 600_000
    wake(agenda, ann, setBack)
    wake(agenda, ann, setBack)
    const early = begin(agenda)
    agenda.come(tick)
    assert.deepStrictEqual([early, begin(agenda)], [[], [ann]], "its timer does not go by that clock")
    assert.strictEqual(agenda.size, 1)
    agenda.end(ann, NOTHING, setBack)
    assert.strictEqual(agenda.size, 0)
  })

  it("forgets a wallet that has nothing to do for a minute", () => {
    const agenda = new Agenda(2)
    wake(agenda, ann, NOW)
    begin(agenda)
    assert.isUndefined(agenda.end(ann, dueIn(60_001), NOW))
    assert.strictEqual(agenda.size, 0)
  })

  it("lets 100,000 wallets that are due at once have their turn one after the other, first come, first served", () => {
    const agenda = new Agenda(2)
    const all = Array.from({ length: 100_000 }, (_, n) => wallet(n))
    for (const one of all) wake(agenda, one, NOW)
    const served: Array<unknown> = []
    for (let begun = begin(agenda); begun.length > 0; begun = begin(agenda)) {
      assert.isAtMost(begun.length, 2_000)
      served.push(...begun)
      for (const one of begun) agenda.end(one, dueIn(2_000), NOW)
    }
    assert.deepStrictEqual(served, all)
    assert.strictEqual(agenda.size, 100_000)
  })
})
