import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import type { HeldOrder } from "../../src/domain/Allocation.ts"
import type { UnspentDeposit } from "../../src/domain/Deposit.ts"
import { type PayInStatus, type SeenPayIn } from "../../src/domain/PayIn.ts"
import { decidePayments, type Evidence, NO_HISTORY } from "../../src/domain/PaymentDecision.ts"
import { shortfallOf } from "../../src/domain/Shortfall.ts"
import type { Task } from "../../src/domain/Task.ts"
import { usdc, zero } from "../../src/domain/Usdc.ts"
import {
  account,
  between,
  hash,
  MANY,
  NOW_MS,
  pendingTasks,
  smallUsdc,
  someDeposits,
  taskOf,
  uuid,
  wallet
} from "./given.ts"

const TIMEOUT_MS = 40_000
const LATE_MS = NOW_MS + TIMEOUT_MS + 1
const PAYER = account("c")

const order = (id: number, cost: number): Task =>
  taskOf({ id: uuid(id), quantity: 1, pricePerMint: usdc(BigInt(cost)), createdAtMs: NOW_MS - id })

const payInFor = ({ id, totalCost }: Task, status: PayInStatus, isUnused = false): SeenPayIn => ({
  payer: PAYER,
  nonce: hash(7),
  amount: totalCost,
  payTo: wallet.agentAddress,
  validAfter: 0,
  validBefore: NOW_MS / 1000 + 120,
  walletId: wallet.id,
  taskId: id,
  status,
  tx: status === "settled" ? hash(9) : undefined,
  block: status === "settled" ? 90n : undefined,
  reason: undefined,
  createdAtMs: NOW_MS,
  isUnused
})

const arrived = (from: typeof PAYER, amount: number, seed = 9): UnspentDeposit => ({
  wallet: wallet.agentAddress,
  from,
  amount: usdc(BigInt(amount)),
  left: usdc(BigInt(amount)),
  tx: hash(seed),
  logIndex: 0,
  block: { number: 90n, timeMs: NOW_MS }
})

interface Seen {
  readonly balance: number
  readonly pending: ReadonlyArray<Task>
  readonly held?: ReadonlyArray<HeldOrder>
  readonly payIns: ReadonlyArray<SeenPayIn>
  readonly deposits?: ReadonlyArray<UnspentDeposit> | undefined
  readonly timeMs?: number
  readonly awaitsDeposits?: boolean
}

const seenOf = ({
  balance,
  pending,
  held = [],
  payIns,
  deposits,
  timeMs = NOW_MS,
  awaitsDeposits = false
}: Seen): Evidence => ({
  ...NO_HISTORY,
  deposits,
  orders: {
    wallet,
    version: 0n,
    provenBlock: 0n,
    reserved: zero,
    maybeSpent: zero,
    foreign: zero,
    books: undefined,
    isShared: false,
    stopped: undefined,
    twin: undefined,
    pending,
    held,
    payIns
  },
  payIns,
  balance: usdc(BigInt(balance)),
  block: { number: 100n, timeMs },
  isUsdcPaused: false,
  awaitsDeposits,
  ledgerAheadMs: 0,
  paymentTimeoutMs: TIMEOUT_MS
})

const decided = (seen: Seen) => {
  const evidence = seenOf(seen)
  const decisions = decidePayments(evidence)
  return evidence.orders.pending.map(({ id }) => {
    const decision = decisions.get(id)
    return decision?._tag === "Wait" ? decision.why._tag : decision?._tag
  })
}

const anyStatus = Arbitrary.schema(Schema.Literals(["unused", "unknown"]))

describe("an order whose pay-in may still come", () => {
  it.prop(
    "waits for it, whatever is there, and whenever",
    [between(0, 20), pendingTasks, someDeposits, anyStatus, between(-3, 30), between(1, 8)],
    ([balance, others, deposits, how, steps, cost]) => {
      const own = order(900, cost)
      const payIns = [payInFor(own, "live", how === "unused")]
      const timeMs = NOW_MS + steps * 10_000
      for (const known of [deposits, undefined]) {
        const tags = decided({ balance, pending: [own, ...others], payIns, deposits: known, timeMs })
        assert.strictEqual(tags[0], "PayInUnderWay")
      }
    },
    MANY
  )

  it.prop(
    "that is certainly unused changes nothing for the others",
    [between(0, 20), pendingTasks, someDeposits, between(-3, 10)],
    ([balance, others, deposits, steps]) => {
      const own = order(900, 3)
      const timeMs = NOW_MS + steps * 10_000
      for (const known of [deposits, undefined]) {
        const seen = { balance, deposits: known, timeMs, awaitsDeposits: true }
        const beside = decided({ ...seen, pending: [...others, own], payIns: [payInFor(own, "live", true)] })
        assert.deepStrictEqual(beside.slice(0, -1), decided({ ...seen, pending: others, payIns: [] }))
      }
    },
    MANY
  )

  it.prop(
    "of whose money nothing is known leaves that to no other order",
    [smallUsdc(20), pendingTasks, between(1, 8)],
    ([balance, others, cost]) => {
      const own = order(900, cost)
      const payIns = [payInFor(own, "live")]
      const seen = { balance: Number(balance) + cost, pending: [...others, own], payIns }
      const decisions = decidePayments(seenOf(seen))
      const funded = others.filter(({ id }) => decisions.get(id)?._tag === "Fund")
      assert.isTrue(funded.reduce((total, { totalCost }) => total + totalCost, 0n) <= balance)
    },
    MANY
  )

  it("lets no other order be cancelled or paid by what may be its money, and lets it be paid by its own", () => {
    const [own, other] = [order(2, 5), order(1, 5)]
    const payIns = [payInFor(own, "live")]
    const seen = { pending: [own, other], payIns }
    assert.deepStrictEqual(decided({ ...seen, balance: 5, deposits: [arrived(PAYER, 5)] })[1], "Unproven")
    assert.deepStrictEqual(
      decided({ ...seen, balance: 5, deposits: [arrived(PAYER, 5)], timeMs: LATE_MS })[1],
      "Unproven"
    )
    const both = [arrived(PAYER, 5), arrived(wallet.userAddress, 5, 8)]
    const decision = decidePayments(seenOf({ ...seen, balance: 10, deposits: both })).get(other.id)
    assert.deepStrictEqual(decision?._tag === "Fund" ? decision.uses.map(({ tx }) => tx) : decision, [hash(8)])
  })

  it("keeps no money from a newer one, and lacks all that it costs", () => {
    const [own, newer] = [order(2, 5), order(1, 5)]
    const evidence = seenOf({ balance: 2, pending: [own, newer], payIns: [payInFor(own, "live", true)], deposits: [] })
    const shortfall = shortfallOf(evidence, newer)
    assert.deepInclude(shortfall, { missing: usdc(3n), older: undefined })
  })

  it("neither keeps nor gets money where it is held", () => {
    const own = order(2, 5)
    const held: HeldOrder = { id: own.id, totalCost: own.totalCost, createdAtMs: own.createdAtMs, isHeld: true }
    const seen = { balance: 5, pending: [order(1, 5)], held: [held], deposits: [arrived(wallet.userAddress, 5)] }
    assert.deepStrictEqual(decided({ ...seen, payIns: [payInFor(own, "live", true)] }), ["Fund"])
    const settled = { ...seen, deposits: [arrived(PAYER, 5)] }
    assert.deepStrictEqual(decided({ ...settled, payIns: [payInFor(own, "settled")] }), ["Short"])
  })
})

describe("an order whose pay-in is settled", () => {
  it("is paid by its own deposit, and the others wait for theirs", () => {
    const [own, older] = [order(1, 5), order(2, 5)]
    const payIns = [payInFor(own, "settled")]
    for (const deposits of [[arrived(PAYER, 5)], undefined]) {
      assert.deepStrictEqual(decided({ balance: 5, pending: [older, own], payIns, deposits }), ["Short", "Fund"])
    }
  })

  it("is one like any other where that deposit is spent, or the pay-in is void", () => {
    const own = order(1, 5)
    const seen = { balance: 0, pending: [own], deposits: [], timeMs: LATE_MS }
    assert.deepStrictEqual(decided({ ...seen, payIns: [payInFor(own, "settled")] }), ["Cancel"])
    assert.deepStrictEqual(decided({ ...seen, payIns: [] }), ["Cancel"])
    for (const status of ["void", "elsewhere"] as const) {
      assert.deepStrictEqual(decided({ ...seen, payIns: [payInFor(own, status)] }), ["Cancel"])
    }
  })
})
