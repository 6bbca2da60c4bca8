import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import { type AuthorizationOutcome, isLive, type SignedWindow } from "../../src/domain/Authorization.ts"
import { type Batch, type BatchStatus, isInFlight } from "../../src/domain/Batch.ts"
import { planRefund, type Refund, type RefundStatus } from "../../src/domain/Refund.ts"
import { isAwaited, lookPauseMs, resendAtMs, resendPauseMs } from "../../src/domain/transferPace.ts"
import {
  accept,
  awaitAnswer,
  BATCH_TRANSITIONS,
  classifyEvidence,
  confirm,
  deliver,
  expire,
  hold,
  holdWithMoney,
  markUnknown,
  recheck,
  REFUND_TRANSITIONS,
  REORGANISATION_TRANSITIONS,
  resend,
  resolve,
  sign,
  withdrawRefund
} from "../../src/domain/transferTransitions.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { account, between, CHAIN, hash, MANY, NOW_MS, plannedBatch, uuid, wallet } from "./given.ts"

const STATUSES = Object.keys(BATCH_TRANSITIONS) as ReadonlyArray<BatchStatus>

const window: SignedWindow = {
  amount: usdc(5_000_000n),
  payTo: account("7"),
  validAfter: 1_000,
  validBefore: 2_000,
  block: 10n
}

const used = { _tag: "Used", tx: hash(1), block: 12n, to: window.payTo, value: window.amount } as const

interface Step {
  readonly from: ReadonlyArray<BatchStatus>
  readonly take: (batch: Batch, nowMs: number, n: number) => Batch
}

const LIVE = ["signed", "accepted", "unknown"] as const

/** Every function that takes a batch further, and the states in which it has a meaning. */
const steps: Record<string, Step> = {
  sign: { from: ["planned"], take: (batch, nowMs) => sign(batch, window, nowMs, nowMs + 65_000) },
  resend: { from: [...LIVE, "paid"], take: (batch, nowMs) => resend(batch, nowMs, nowMs + 65_000) },
  accept: { from: [...LIVE, "paid"], take: (batch, nowMs, n) => accept(batch, n > 2 ? [hash(n)] : [], nowMs) },
  markUnknown: {
    from: [...LIVE, "paid"],
    take: (batch, nowMs) => markUnknown(batch, { reason: "no answer", lookAtMs: nowMs + 2_000 }, nowMs)
  },
  recheck: { from: [...LIVE, "paid"], take: (batch, nowMs) => recheck(batch, nowMs) },
  confirm: { from: ["planned", ...LIVE], take: (batch, nowMs) => confirm(batch, used, nowMs) },
  expire: {
    from: [...LIVE, "held"],
    take: (batch, nowMs) => expire(batch, { nowMs, block: { number: 20n, timeMs: nowMs } }, "lapsed")
  },
  deliver: {
    from: ["paid"],
    take: (batch, nowMs, n) => deliver(batch, Math.min(1 + n, batch.quantity - batch.minted), nowMs)
  },
  hold: { from: ["planned", ...LIVE], take: (batch, nowMs) => hold(batch, "a person decides", nowMs) },
  resolve: { from: ["paid", "held"], take: (batch, nowMs) => resolve(batch, batch.minted, "given up", nowMs) }
}

/** Draws of what is done next; those that have no meaning in the state that is reached are passed over. */
const walk = Arbitrary.array(
  Arbitrary.all({ step: between(0, Object.keys(steps).length - 1), n: between(0, 4), pauseMs: between(1, 60_000) }),
  { maxLength: 40 }
)

/** Every state that a batch goes through on a walk, with its predecessor. */
const follow = (draws: ReadonlyArray<{ readonly step: number; readonly n: number; readonly pauseMs: number }>) => {
  let batch = plannedBatch()
  let nowMs = NOW_MS
  return draws.flatMap(({ step, n, pauseMs }) => {
    const { from, take } = Object.values(steps)[step] ?? assert.fail("no such step")
    if (!from.includes(batch.status)) return []
    nowMs += pauseMs
    const before = batch
    batch = take(batch, nowMs, n)
    return [{ before, after: batch, nowMs }]
  })
}

describe("the life of a batch", () => {
  it.prop(
    "goes only along the arrows",
    [walk],
    ([draws]) => {
      for (const { before, after } of follow(draws)) assert.include(BATCH_TRANSITIONS[before.status], after.status)
    },
    MANY
  )

  it("has a step for every arrow, and no arrow without one", () => {
    for (const status of STATUSES) {
      const batch = { ...plannedBatch(), status, window }
      const meaningful = Object.values(steps).filter(({ from }) => from.includes(status))
      const reached = meaningful.flatMap(({ take }) => [0, 4].map((n) => take(batch, NOW_MS, n).status))
      assert.sameMembers([...new Set(reached)], [...BATCH_TRANSITIONS[status]], status)
    }
  })

  it.prop(
    "never changes what was planned, and so never what is paid twice",
    [walk],
    ([draws]) => {
      for (const { before, after } of follow(draws)) {
        const { taskId, number, walletId, firstMint, quantity, amount, token, payer, payTo, recipient, nonce } = after
        const planned = { taskId, number, walletId, firstMint, quantity, amount, token, payer, payTo, recipient, nonce }
        assert.deepInclude(before, planned)
        // The ledger alone gives versions.
        assert.strictEqual(after.version, before.version)
      }
    },
    MANY
  )

  it.prop(
    "never loses a mint, a proof of payment, or a transaction that the server named",
    [walk],
    ([draws]) => {
      for (const { before, after } of follow(draws)) {
        assert.isAtLeast(after.minted, before.minted)
        assert.isAtMost(after.minted, after.quantity)
        if (before.paymentTx !== undefined) assert.strictEqual(after.paymentTx, before.paymentTx)
        if (after.status !== "planned") assert.includeMembers([...after.mintTxs], [...before.mintTxs])
      }
    },
    MANY
  )

  it.prop(
    "counts sends and looks up, and starts again only with a new window or with news",
    [walk],
    ([draws]) => {
      for (const { before, after } of follow(draws)) {
        if (after.status !== "planned") assert.isAtLeast(after.sends, before.sends)
        assert.isTrue(after.looks === 0 || after.looks >= before.looks)
      }
    },
    MANY
  )

  it.prop(
    "knows in every state what the ledger demands of it",
    [walk],
    ([draws]) => {
      for (const { before, after, nowMs } of follow(draws)) {
        if (isLive(after)) assert.isDefined(after.window)
        if (after.status === "planned") assert.deepInclude(after, { window: undefined, sends: 0, mintTxs: [] })
        assert.strictEqual(after.nextActionAtMs !== undefined, isInFlight(after))
        if (after.nextActionAtMs !== undefined) assert.isAtLeast(after.nextActionAtMs, nowMs)
        const isPaid = after.status === "paid" || after.status === "delivered"
        if (isPaid) assert.deepInclude(after, { paymentTx: used.tx, paymentBlock: used.block, paidAmount: used.value })
        assert.strictEqual(after.status === "delivered", after.minted === after.quantity && after.status !== "held")
        assert.strictEqual(after.statusSinceMs, after.status === before.status ? before.statusSinceMs : nowMs)
      }
    },
    MANY
  )

  it("ends where it is delivered or resolved; what is held waits for a person", () => {
    assert.deepStrictEqual([BATCH_TRANSITIONS.delivered, BATCH_TRANSITIONS.resolved], [[], []])
    assert.deepStrictEqual(BATCH_TRANSITIONS.held, ["resolved", "planned"])
    assert.deepStrictEqual(Object.keys(REORGANISATION_TRANSITIONS), ["paid", "delivered", "unknown", "held"])
  })
})

const refund = planRefund({ id: uuid(0x0e0f), wallet, amount: window.amount, ...CHAIN, nowMs: NOW_MS })

/** Every function that takes a refund further, and the states in which it has a meaning. */
const refundSteps: ReadonlyArray<readonly [ReadonlyArray<RefundStatus>, (refund: Refund) => Refund]> = [
  [["planned"], (refund) => sign(refund, window, NOW_MS)],
  [["signed"], (refund) => resend(refund, NOW_MS)],
  [["planned", "signed"], (refund) => recheck(refund, NOW_MS)],
  [["planned", "signed"], (refund) => confirm(refund, used, NOW_MS)],
  [["signed"], (refund) => expire(refund, { nowMs: NOW_MS, block: { number: 20n, timeMs: NOW_MS } })],
  [["planned", "signed"], (refund) => hold(refund, "a person decides", NOW_MS)],
  [["planned"], (refund) => holdWithMoney(refund, "on the blacklist")],
  [["planned", "held"], (refund) => withdrawRefund(refund, "no gas")]
]

describe("a payment that has lapsed", () => {
  it("has its mints searched from the block of its signature on, as all nodes may have been late with their logs", () => {
    const planned = plannedBatch()
    const window = { amount: planned.amount, payTo: planned.payTo, validAfter: 1, validBefore: 2, block: 9n }
    const lapsed = expire(sign(planned, window, NOW_MS, NOW_MS), {
      nowMs: NOW_MS,
      block: { number: 20n, timeMs: 2_000 }
    })
    assert.deepStrictEqual(lapsed.asked, { since: 9n, until: 20n })
  })
})

describe("the life of a refund", () => {
  it("has a step for every arrow, and no arrow without one", () => {
    for (const [status, arrows] of Object.entries(REFUND_TRANSITIONS) as Array<[RefundStatus, Array<RefundStatus>]>) {
      const meaningful = refundSteps.filter(([from]) => from.includes(status))
      const reached = meaningful.map(([, take]) => take({ ...refund, status, window }).status)
      assert.sameMembers([...new Set(reached)], arrows, status)
    }
  })
})

describe("the pace of looks and sends", () => {
  it.prop(
    "is never slower than once a minute, nor faster than once in two seconds",
    [between(0, 100_000)],
    ([count]) => {
      for (const pauseMs of [lookPauseMs(count), resendPauseMs(count)]) {
        assert.isAtLeast(pauseMs, 2_000)
        assert.isAtMost(pauseMs, 60_000)
      }
    }
  )

  it("starts at the pace of the chain and doubles from there", () => {
    assert.deepStrictEqual(
      [0, 1, 2, 3, 4, 5, 6, 7, 8].map(lookPauseMs),
      [2_000, 2_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
    )
    assert.deepStrictEqual([1, 2, 3, 4, 5, 6].map(resendPauseMs), [4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
  })

  it("looks at the chain from the claim on, and sends nothing more until the request is answered or lost", () => {
    const signed = sign(plannedBatch(), window, NOW_MS, NOW_MS + 65_000)
    const looked = recheck(recheck(signed, NOW_MS + 2_000), NOW_MS + 4_000)
    const paid = confirm(looked, used, NOW_MS + 6_000)
    assert.strictEqual(signed.nextActionAtMs, NOW_MS + 2_000)
    for (const batch of [signed, looked, paid]) {
      assert.strictEqual(resendAtMs(batch, 4_000), NOW_MS + 65_000)
      assert.isTrue(isAwaited(batch, NOW_MS + 64_999))
      assert.isFalse(isAwaited(batch, NOW_MS + 65_000))
    }
    const answers = [
      accept(looked, [], NOW_MS + 6_000),
      markUnknown(paid, { reason: "no", lookAtMs: NOW_MS }, NOW_MS + 6_000)
    ]
    for (const answered of answers) {
      assert.isFalse(isAwaited(answered, NOW_MS + 6_000))
      assert.strictEqual(resendAtMs(answered, 4_000), NOW_MS + 10_000)
    }
    const asked = awaitAnswer(answers[0] ?? looked, NOW_MS + 10_000, NOW_MS + 75_000)
    assert.strictEqual(asked.nextActionAtMs, NOW_MS + 12_000)
    assert.strictEqual(resendAtMs(asked, 4_000), NOW_MS + 75_000)
  })
})

describe("what the chain's word on a nonce means", () => {
  const at = (seconds: number, ms = 0) => ({ number: 20n, timeMs: seconds * 1_000 + ms })
  const unused: AuthorizationOutcome = { _tag: "Unused" }

  it.each([
    ["used as signed", used, at(1_500), "paid"],
    ["used as signed, long after the window", used, at(9_999), "paid"],
    ["used for more", { ...used, value: usdc(window.amount + 1n) }, at(1_500), "otherTransfer"],
    ["used for less", { ...used, value: usdc(window.amount - 1n) }, at(1_500), "otherTransfer"],
    ["used to pay another", { ...used, to: account("8") }, at(1_500), "otherTransfer"],
    ["cancelled by its key", { _tag: "Canceled", tx: hash(2), block: 12n }, at(1_500), "cancelled"],
    ["spent, with no log to say how", { _tag: "Unexplained" }, at(9_999), "unknown"],
    ["unused before the window", unused, at(500), "unknown"],
    ["unused within the window", unused, at(1_500), "unknown"],
    ["unused in the last second in which it could be used", unused, at(1_999), "unknown"],
    ["unused a moment before the end", unused, at(1_999, 999), "unknown"],
    ["unused in the very second of validBefore: it is exclusive", unused, at(2_000), "void"],
    ["unused after it", unused, at(2_001), "void"]
  ] as ReadonlyArray<readonly [string, AuthorizationOutcome, ReturnType<typeof at>, string]>)(
    "%s",
    (_, outcome, block, evidence) => {
      assert.strictEqual(classifyEvidence({ ...plannedBatch(), window }, outcome, block), evidence)
    }
  )
})
