import type { Fault } from "../../src/sandbox/faults.ts"

/** An order during which something goes wrong with its mint server, and how it ends. */
export interface Story {
  readonly name: string
  readonly faults: ReadonlyArray<Fault>
  /** Default: `completed`, with every batch paid once and every mint made once. */
  readonly ends?: "held"
}

const once = (kind: Fault["kind"], more: Partial<Fault> = {}): Fault => ({ kind, times: 1, ...more })
const always = (kind: Fault["kind"], more: Partial<Fault> = {}): Fault => ({ kind, ...more })

/** Nothing is settled, or not yet: whether the same payment comes again or a new one is signed, it is one payment. */
const UNSETTLED: ReadonlyArray<Story> = [
  { name: "cut off before it is settled", faults: [once("lost-before-settlement")] },
  { name: "silent before it is settled", faults: [once("hang-before-settlement")] },
  { name: "payment refused", faults: [once("refuse-payment")] },
  // The same payment comes again before the first is settled.
  { name: "settled late", faults: [once("settle-late", { ms: 6_000 })] },
  { name: "settled late, every time", faults: [always("settle-late", { ms: 1_500 })] },
  { name: "settled and not minted, and a challenge for an answer", faults: [once("mint-fails"), always("answer-402")] }
]

/** Everything is done, and the customer is told otherwise, every time. */
const SETTLED: ReadonlyArray<Story> = [
  { name: "cut off when it is settled", faults: [always("lost-after-settlement")] },
  { name: "silent when it is settled", faults: [always("hang-after-settlement")] },
  { name: "a challenge for an answer", faults: [always("answer-402")] },
  { name: "408 for an answer", faults: [always("answer-408")] },
  { name: "500 for an answer", faults: [always("answer-500")] },
  { name: "502 for an answer", faults: [always("answer-502")] },
  { name: "said to be pending", faults: [always("settlement-pending")] },
  { name: "an answer that breaks off", faults: [always("truncated")] },
  { name: "an answer that is no JSON", faults: [always("malformed")] }
]

const REST: ReadonlyArray<Story> = [
  { name: "mint fails once it is paid", faults: [once("mint-fails")] },
  { name: "nothing minted, and said to be", faults: [once("mint-nothing")] },
  { name: "minted and then refused", faults: [once("mint-before-settlement")], ends: "held" },
  { name: "nothing settled, and said to be", faults: [once("settle-nothing")] },
  { name: "refused", faults: [once("refuse")] },
  { name: "out of order", faults: [once("outage", { times: 2 })] },
  { name: "too dear", faults: [once("price-higher")] },
  { name: "another payee", faults: [once("other-payee")] },
  { name: "another asset", faults: [once("other-asset")] },
  { name: "another chain", faults: [once("other-chain")] }
]

/** Where a payment lapses before it could be sent again: what was not settled is signed anew. */
export const whereItLapses = [...UNSETTLED, ...SETTLED, ...REST]

/** Where a payment is valid long enough to be sent again. */
export const whereItIsSentAgain = UNSETTLED
