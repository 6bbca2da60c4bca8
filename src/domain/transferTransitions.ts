import type { Bytes32 } from "./Address.ts"
import type { AuthorizationOutcome } from "./Authorization.ts"
import { type Batch, type BatchStatus, isInFlight, type SignedWindow } from "./Batch.ts"
import type { Block } from "./Block.ts"

/**
 * The only ways a batch may go. Every step is a function below, and the ledger takes a step only from the version that
 * it was made from.
 */
export const BATCH_ARROWS: Record<BatchStatus, ReadonlyArray<BatchStatus>> = {
  planned: ["signed", "paid", "held"],
  signed: ["signed", "accepted", "unknown", "paid", "planned", "held"],
  accepted: ["accepted", "unknown", "paid", "planned", "held"],
  unknown: ["unknown", "accepted", "paid", "planned", "held"],
  paid: ["paid", "delivered", "resolved"],
  delivered: [],
  held: ["resolved", "planned"],
  resolved: []
}

/** And these, where the chain was reorganised: what it showed it may take back, and show again. */
export const REORGANISATION_ARROWS: Partial<Record<BatchStatus, ReadonlyArray<BatchStatus>>> = {
  paid: ["unknown", "held"],
  delivered: ["paid", "unknown", "held"],
  unknown: ["delivered"],
  held: ["unknown"]
}

/** The first looks at the chain come at about the pace of its blocks; then ever more slowly. */
const LOOK_MS_FIRST = 2_000
const LOOK_MS_MAX = 60_000

/** How long to wait before look number `looks` + 1. */
export const lookPauseMs = (looks: number): number =>
  Math.min(LOOK_MS_MAX, LOOK_MS_FIRST * 2 ** Math.max(0, Math.min(looks, 10) - 2))

/** How long to wait before send number `sends` + 1 of the identical bytes. */
export const resendPauseMs = (sends: number): number => Math.min(LOOK_MS_MAX, LOOK_MS_FIRST * 2 ** Math.min(sends, 10))

/**
 * From when on the identical bytes may be sent once more. What the last send brought must be in sight by then:
 * `confirmMs` is how long a block takes until it counts. While a request may be on its way, no other one leaves.
 */
export const resendAtMs = (batch: Batch, confirmMs: number): number =>
  Math.max(
    batch.answerByMs ?? 0,
    (batch.triedAtMs ?? batch.statusSinceMs) + Math.max(confirmMs, resendPauseMs(batch.sends))
  )

/**
 * No answer is awaited and no look put off for longer, as `MINT_TIMEOUT` is ten minutes at the most: a later time was
 * written by a clock that was ahead, and counts for nothing.
 */
export const FAR_MS = 660_000

/** Whether a request about it may be on its way to the mint server. */
export const isAwaited = ({ answerByMs }: Batch, nowMs: number): boolean =>
  answerByMs !== undefined && nowMs < answerByMs && answerByMs <= nowMs + FAR_MS

/** When what is in flight, a batch or a refund, is looked at next. */
export const lookDueMs = ({ nextActionAtMs = 0 }: Pick<Batch, "nextActionAtMs">, nowMs: number): number =>
  nextActionAtMs > nowMs + FAR_MS ? nowMs : nextActionAtMs

/** In flight, or its price is asked: nothing else of its order, its wallet and its token is begun meanwhile. */
export const isBusy = (batch: Batch, nowMs: number): boolean =>
  isInFlight(batch) || (batch.status === "planned" && isAwaited(batch, nowMs))

/** As often as this a server may say that it is done with nothing on chain; after that it is not asked again. */
export const CLAIMS_MAX = 3

/**
 * Whether a request for this paid batch is for what is missing, and for nothing else: a request is always for all of its
 * mints. The bytes can be made again only where they were signed by this ledger.
 */
export const isForAllOfIt = ({ window, minted }: Batch): boolean => window !== undefined && minted === 0

/** `reason` among what the server said before. */
const noted = (said: ReadonlyArray<string>, reason: string): ReadonlyArray<string> =>
  said.includes(reason) ? said : [...said.slice(0, 2), reason]

const step = (batch: Batch, nowMs: number, change: Partial<Batch>): Batch => ({
  ...batch,
  looks: 0,
  ...change,
  statusSinceMs: change.status === undefined || change.status === batch.status ? batch.statusSinceMs : nowMs
})

/** Write-ahead: from here on the mint server may be at work for the batch, though it is asked for nothing but the price. */
export const ask = (batch: Batch, block: Block, answerByMs: number): Batch => ({
  ...batch,
  answerByMs,
  asked: { since: batch.asked?.since ?? block.number, until: undefined }
})

/** The server asked for money, or never had the request: what was known before is all that may have been done. */
export const didNothing = (batch: Batch, before: Batch): Batch => ({
  ...batch,
  answerByMs: undefined,
  asked: before.asked
})

/** The server may have done what it was asked for: it is searched when block `until` counts. */
export const mayHaveDone = (batch: Batch, until: bigint, claims: boolean): Batch => ({
  ...batch,
  answerByMs: undefined,
  asked: batch.asked && { ...batch.asked, until },
  claims: batch.claims + (claims ? 1 : 0)
})

/** Write-ahead: from here on the payment may exist, and the chain is looked at for it, whether it is answered or not. */
export const sign = (batch: Batch, window: SignedWindow, nowMs: number, answerByMs: number): Batch =>
  step(batch, nowMs, {
    status: "signed",
    window,
    sends: 1,
    asked: undefined,
    triedAtMs: nowMs,
    answerByMs,
    claims: 0,
    said: [],
    nextActionAtMs: nowMs + lookPauseMs(0),
    reason: "the payment is on its way to the mint server"
  })

/** The identical bytes go out once more; what is known is what was known, and the chain is looked at as after the first. */
export const resend = (batch: Batch, nowMs: number, answerByMs: number): Batch =>
  step(batch, nowMs, {
    sends: batch.sends + 1,
    triedAtMs: nowMs,
    answerByMs,
    nextActionAtMs: nowMs + lookPauseMs(0)
  })

/** The server says that it was paid. Only the chain makes that true. */
export const accept = (batch: Batch, mintTxs: ReadonlyArray<Bytes32>, nowMs: number): Batch =>
  step(batch, nowMs, {
    status: batch.status === "paid" ? "paid" : "accepted",
    mintTxs: [...new Set([...batch.mintTxs, ...mintTxs])],
    triedAtMs: nowMs,
    answerByMs: undefined,
    claims: batch.claims + 1,
    nextActionAtMs: nowMs + lookPauseMs(0),
    reason: batch.status === "paid" ? batch.reason : "the mint server accepted the payment, waiting for the chain"
  })

/** Write-ahead for a request about a live or paid batch: no other one leaves until it is answered. The chain is looked at. */
export const awaitAnswer = (batch: Batch, nowMs: number, answerByMs: number): Batch => ({
  ...batch,
  answerByMs,
  nextActionAtMs: nowMs + lookPauseMs(batch.looks)
})

/** The request was answered, or never left: another one may leave. */
export const answered = (batch: Batch): Batch => ({ ...batch, answerByMs: undefined })

/** An answer that proves nothing: why, when to look again, and the server's own handle where it gave one. */
interface UnclearAnswer {
  readonly reason: string
  readonly lookAtMs: number
  readonly reference?: string | undefined
  /** The reason is ours, and no word of the server. */
  readonly isOurs?: boolean
}

/** An answer to what was sent before the chain showed the payment: what that showed goes on as it is. */
const isLate = ({ status, statusSinceMs, triedAtMs }: Batch): boolean =>
  status === "paid" && triedAtMs !== undefined && triedAtMs <= statusSinceMs

/** The answer proves nothing. A payment that the chain has shown stays paid. */
export const markUnknown = (
  batch: Batch,
  { reason, lookAtMs, reference = batch.reference, isOurs = false }: UnclearAnswer,
  nowMs: number
): Batch =>
  step(batch, nowMs, {
    status: batch.status === "paid" ? "paid" : "unknown",
    looks: batch.looks,
    triedAtMs: nowMs,
    answerByMs: undefined,
    said: isOurs ? batch.said : noted(batch.said, reason),
    nextActionAtMs: isLate(batch) ? Math.max(nowMs, batch.nextActionAtMs ?? nowMs) : lookAtMs,
    reason: isLate(batch) ? batch.reason : reason,
    reference
  })

/** The chain was asked and had no news; the server may have had a word. */
export const recheck = (batch: Batch, nowMs: number, said?: string): Batch => ({
  ...batch,
  looks: batch.looks + 1,
  nextActionAtMs: nowMs + lookPauseMs(batch.looks + 1),
  reason: said ?? batch.reason
})

/**
 * Its mints are on chain, paid for or not: its server is not asked for them again, even where a later answer of a node
 * lacks them.
 */
export const seenMinted = (batch: Batch): Batch => ({ ...batch, claims: CLAIMS_MAX })

/**
 * `AuthorizationUsed` with the matching `Transfer`. The transaction comes from the log, not from the server. A payment
 * that was mined again after a reorganisation may find its mints there already.
 */
export const confirm = (batch: Batch, used: Extract<AuthorizationOutcome, { _tag: "Used" }>, nowMs: number): Batch =>
  step(batch, nowMs, {
    paymentTx: used.tx,
    paymentBlock: used.block,
    paidAmount: used.value,
    ...(batch.minted === batch.quantity
      ? { status: "delivered", nextActionAtMs: undefined, reason: undefined }
      : { status: "paid", nextActionAtMs: nowMs, reason: "paid, waiting for the mints" })
  })

/**
 * The payment was on chain and is not any more. Its authorization may be mined again, so that nothing is known but what
 * was signed. Where that is not known either, after a restored backup, a person has to look.
 */
export const retract = (batch: Batch, nowMs: number, reason: string): Batch =>
  step(batch, nowMs, {
    status: batch.window === undefined ? "held" : "unknown",
    claims: 0,
    paymentTx: undefined,
    paymentBlock: undefined,
    paidAmount: undefined,
    nextActionAtMs: batch.window === undefined ? undefined : nowMs,
    reason
  })

/**
 * The payment left the chain after a person had decided about the batch, and can never be made again: the decision
 * stands, and the money is the wallet's again.
 */
export const unpay = (batch: Batch, reason: string): Batch => ({
  ...batch,
  paymentTx: undefined,
  paymentBlock: undefined,
  paidAmount: undefined,
  reason
})

/**
 * A mint of the batch was on chain and is not any more: all of its mints are looked for anew, and the server may be asked
 * for them, whatever it said before.
 */
export const unmint = (batch: Batch, nowMs: number, reason: string): Batch =>
  step(batch, nowMs, {
    status: batch.status === "delivered" ? "paid" : batch.status,
    minted: 0,
    claims: 0,
    nextActionAtMs: nowMs,
    reason
  })

/**
 * The authorization can never be used any more: the batch may be signed again, with the same nonce. Up to `block` there
 * are no mints for it; those that come later are for a payment that was never made.
 */
export const expire = (
  batch: Batch,
  { nowMs, block }: { readonly nowMs: number; readonly block: Block },
  reason: string
): Batch =>
  step(batch, nowMs, {
    status: "planned",
    window: undefined,
    sends: 0,
    asked: { since: block.number, until: block.number },
    triedAtMs: undefined,
    answerByMs: undefined,
    claims: 0,
    said: [],
    mintTxs: [],
    reference: undefined,
    nextActionAtMs: undefined,
    reason
  })

/** `count` more mints of this batch are on chain. */
export const deliver = (batch: Batch, count: number, nowMs: number): Batch => {
  const minted = batch.minted + count
  return minted === batch.quantity
    ? step(batch, nowMs, { status: "delivered", minted, nextActionAtMs: undefined, reason: undefined })
    : step(batch, nowMs, {
        minted,
        nextActionAtMs: nowMs + lookPauseMs(0),
        reason: `paid, ${minted} of ${batch.quantity} mints are on chain`
      })
}

/** A person has to decide. Where the nonce was spent on another transfer, that money is gone. */
export const hold = (
  batch: Batch,
  reason: string,
  nowMs: number,
  spent?: Extract<AuthorizationOutcome, { _tag: "Used" }>
): Batch =>
  step(batch, nowMs, {
    status: "held",
    nextActionAtMs: undefined,
    reason,
    ...(spent && { paymentTx: spent.tx, paymentBlock: spent.block, paidAmount: spent.value })
  })

/** What a person decided: `minted` mints of the batch are there, and nothing more will be asked or paid for it. */
export const resolve = (batch: Batch, minted: number, reason: string, nowMs: number): Batch =>
  step(batch, nowMs, { status: "resolved", minted, nextActionAtMs: undefined, reason })

/** What the chain's word on the nonce means for a live batch. */
export type Evidence = "paid" | "void" | "canceled" | "misused" | "open"

/**
 * - `paid`: used, for the amount and the payee that were signed.
 * - `misused`: used, but with another transfer than the one signed here. Must not happen.
 * - `canceled`: the payer's key cancelled the nonce. Must not happen; it will never be paid.
 * - `void`: unused, in a confirmed block at or past `validBefore`: it can never be used (EIP-3009 is strict).
 * - `open`: nothing is proven yet.
 */
export const classifyEvidence = (window: SignedWindow, outcome: AuthorizationOutcome, block: Block): Evidence => {
  switch (outcome._tag) {
    case "Used":
      return outcome.value === window.amount && outcome.to === window.payTo ? "paid" : "misused"
    case "Canceled":
      return "canceled"
    case "Unexplained":
      return "open"
    case "Unused":
      return block.timeMs >= window.validBefore * 1000 ? "void" : "open"
  }
}
