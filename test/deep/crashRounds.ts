import { BATCH_TRANSITIONS } from "../../src/domain/transferTransitions.ts"
import type { Fault } from "../../src/sandbox/faults.ts"
import type { Point } from "./programs/killPoints.ts"

/** What somebody with the wallet's key does to the first batch of an order that has this status. */
interface Meddling {
  readonly does: "cancels" | "pays"
  readonly when: string
  /** With the second batch of the order, once the first has this status. Left out, with the first. */
  readonly whileFirstIs?: string
}

/** Orders that an executor carries out, which is killed at these points, each of them once. */
export interface Round {
  readonly name: string
  /** `AUTHORIZATION_WINDOW`. Payments of 10 s lapse before they could be sent again. */
  readonly window: "10s" | "60s" | "5m"
  readonly orders?: number
  /** Of each order; a batch is one mint. */
  readonly mints?: number
  readonly isUnpaid?: boolean
  /** Of the round's token; switched on at each start, or at the first only. */
  readonly faults?: ReadonlyArray<Omit<Fault, "token">>
  readonly areFaultsOnce?: boolean
  readonly env?: Readonly<Record<string, string>>
  readonly meddling?: Meddling
  /** Names of what is done: it is killed before and after each. */
  readonly around?: ReadonlyArray<string>
  readonly at?: ReadonlyArray<Point>
  readonly ends: "completed" | "cancelled" | "failed" | "held"
}

const batch = (from: string, ...tos: ReadonlyArray<string>): ReadonlyArray<string> =>
  tos.map((to) => `batch ${from}→${to}`)

/** An answer that never came leaves a batch signed. */
const LEFT_SIGNED: Point = "after batch planned→signed"

/** For answers that have to come, on a machine that is busy. */
const PATIENT = { MINT_TIMEOUT: "15s" }

const cancelled = (status: "signed" | "accepted" | "unknown", round: Partial<Round>): Round => ({
  name: `its nonce is cancelled when it is ${status}`,
  window: "60s",
  mints: 1,
  meddling: { does: "cancels", when: status },
  around: batch(status, "held"),
  ends: "held",
  ...round
})

const lieForLong = (at: string): Round => ({
  name: `${at}: said to be settled for two minutes`,
  window: "5m",
  mints: 1,
  faults: [{ kind: "settle-nothing", times: 1 }, { kind: "answer-500" }],
  areFaultsOnce: true,
  at: [`${at} batch accepted→unknown`],
  ends: "completed"
})

export const rounds: ReadonlyArray<Round> = [
  lieForLong("before"),
  lieForLong("after"),
  {
    name: "the money, and the plan",
    window: "60s",
    mints: 1,
    around: ["recordDeposits", "fund", "plan", "minter quote"],
    ends: "completed"
  },
  {
    name: "the signature",
    window: "60s",
    mints: 1,
    around: batch("planned", "signed"),
    ends: "completed"
  },
  {
    name: "the same bytes once more",
    window: "60s",
    mints: 1,
    at: [LEFT_SIGNED],
    around: batch("signed", "signed"),
    ends: "completed"
  },
  {
    name: "the bytes and the answer",
    window: "60s",
    mints: 1,
    around: ["minter pay"],
    ends: "completed"
  },
  {
    name: "an answer that was not stored",
    window: "60s",
    env: PATIENT,
    mints: 1,
    at: ["before batch signed→accepted"],
    around: batch("signed", "paid"),
    ends: "completed"
  },
  {
    name: "the answer and the proof",
    window: "60s",
    env: PATIENT,
    mints: 1,
    at: ["after batch signed→accepted"],
    around: batch("accepted", "paid"),
    ends: "completed"
  },
  {
    name: "the mints and the end",
    window: "60s",
    orders: 2,
    mints: 1,
    around: [...batch("paid", "delivered"), "task processing→completed"],
    ends: "completed"
  },
  {
    name: "no answer, and it lapses",
    window: "10s",
    mints: 1,
    faults: [{ kind: "lost-before-settlement", times: 1 }],
    around: batch("signed", "unknown"),
    ends: "completed"
  },
  {
    name: "in doubt until it lapses",
    window: "10s",
    mints: 1,
    faults: [{ kind: "lost-before-settlement", times: 1 }],
    around: batch("unknown", "unknown", "planned"),
    ends: "completed"
  },
  {
    name: "never sent, and it lapses",
    window: "10s",
    at: [LEFT_SIGNED],
    around: batch("signed", "planned"),
    mints: 1,
    ends: "completed"
  },
  {
    name: "settled, and said to have failed",
    window: "60s",
    faults: [{ kind: "answer-500" }],
    around: batch("unknown", "paid"),
    ends: "completed"
  },
  {
    name: "sent again",
    window: "60s",
    env: PATIENT,
    faults: [{ kind: "lost-before-settlement", times: 1 }],
    around: batch("unknown", "accepted"),
    ends: "completed"
  },
  {
    name: "paid, and not minted",
    window: "60s",
    faults: [{ kind: "mint-nothing", times: 1 }],
    around: batch("paid", "paid"),
    mints: 1,
    ends: "completed"
  },
  {
    name: "said to be settled",
    window: "10s",
    mints: 1,
    faults: [{ kind: "settle-nothing", times: 1 }],
    around: batch("accepted", "accepted", "planned"),
    ends: "completed"
  },
  {
    name: "paid elsewhere, as a restored backup finds it",
    window: "60s",
    faults: [{ kind: "settle-late", times: 1, ms: 8_000 }],
    areFaultsOnce: true,
    meddling: { does: "pays", when: "planned", whileFirstIs: "unknown" },
    around: batch("planned", "paid"),
    ends: "completed"
  },
  {
    name: "its nonce is cancelled before it is signed",
    window: "60s",
    faults: [{ kind: "settle-late", times: 1, ms: 8_000 }],
    areFaultsOnce: true,
    meddling: { does: "cancels", when: "planned", whileFirstIs: "unknown" },
    around: [...batch("planned", "held"), "hold"],
    ends: "held"
  },
  cancelled("signed", { at: [LEFT_SIGNED] }),
  cancelled("accepted", { faults: [{ kind: "settle-nothing", times: 1 }] }),
  cancelled("unknown", { faults: [{ kind: "lost-before-settlement", times: 1 }] }),
  {
    name: "never paid",
    window: "60s",
    isUnpaid: true,
    env: { PAYMENT_TIMEOUT: "3s" },
    around: ["cancel"],
    ends: "cancelled"
  },
  {
    name: "refused",
    window: "60s",
    faults: [{ kind: "refuse" }],
    env: { MAX_RETRY_COUNT: "2" },
    around: ["task processing→processing", "task processing→failed"],
    ends: "failed"
  }
]

const beforeAndAfter = (name: string): ReadonlyArray<Point> => [`before ${name}`, `after ${name}`]

/** Where a round kills. */
export const pointsOf = ({ around = [], at = [] }: Round): ReadonlyArray<Point> => [
  ...at,
  ...around.flatMap(beforeAndAfter)
]

/** What an order does besides what its batches do. */
const STEPS = ["fund", "plan", "task processing→completed", "cancel", "minter pay"]

/** Where the executor has to be killed: around each arrow of the code's own table, and each step of an order. */
export const pointsToReach: ReadonlyArray<Point> = [
  ...Object.entries(BATCH_TRANSITIONS).flatMap(([from, tos]) => batch(from, ...tos)),
  ...STEPS
].flatMap(beforeAndAfter)

/** Arrows that an executor does not take by itself, and why. */
const OUT_OF_REACH: Readonly<Record<string, string>> = {
  "batch paid→held": "nothing in `wallet/` does it: what is paid is looked for until it is delivered",
  "batch paid→resolved": "a person's command",
  "batch held→resolved": "a person's command",
  "batch held→planned": "a person's command"
}

export const outOfReach: ReadonlyArray<Point> = Object.keys(OUT_OF_REACH).flatMap(beforeAndAfter)
