import type { Address, Bytes32 } from "./Address.ts"
import type { AuthorizationOutcome, SignedWindow, TransferState, UsedNonce } from "./Authorization.ts"
import type { Batch, BatchStatus } from "./Batch.ts"
import type { Block } from "./Block.ts"
import type { Refund, RefundStatus } from "./Refund.ts"
import { lookPauseMs } from "./transferPace.ts"

/**
 * An EIP-3009 transfer out of an agent wallet. Its purpose decides who sends it and what follows: a batch is given to the
 * mint server, which settles it and mints; a refund is sent to the chain by ourselves, back to the wallet's user.
 */
export type Transfer = Batch | Refund

export const isBatch = (transfer: Transfer): transfer is Batch => "taskId" in transfer

/**
 * The only ways that a transfer may go. Every step is a function below, and the ledger takes a step only from the version
 * that it was made from.
 */
export const BATCH_TRANSITIONS: Record<BatchStatus, ReadonlyArray<BatchStatus>> = {
  planned: ["signed", "paid", "held"],
  signed: ["signed", "accepted", "unknown", "paid", "planned", "held"],
  accepted: ["accepted", "unknown", "paid", "planned", "held"],
  unknown: ["unknown", "accepted", "paid", "planned", "held"],
  paid: ["paid", "delivered", "resolved"],
  delivered: [],
  held: ["resolved", "planned"],
  resolved: []
}

export const REFUND_TRANSITIONS: Record<RefundStatus, ReadonlyArray<RefundStatus>> = {
  planned: ["planned", "signed", "paid", "held", "withdrawn"],
  signed: ["signed", "planned", "paid", "held"],
  paid: [],
  held: ["withdrawn"],
  withdrawn: []
}

/** And these of a batch, where the chain was reorganised: what it showed it may take back, and show again. */
export const REORGANISATION_TRANSITIONS: Partial<Record<BatchStatus, ReadonlyArray<BatchStatus>>> = {
  paid: ["unknown", "held"],
  delivered: ["paid", "unknown", "held"],
  unknown: ["delivered"],
  held: ["unknown"]
}

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

const step = <T extends Transfer>(before: T, nowMs: number, change: Partial<Batch> | Partial<Refund>): T => {
  const hasMoved = change.status !== undefined && change.status !== before.status
  return { ...before, looks: 0, ...change, ...(hasMoved && isBatch(before) && { statusSinceMs: nowMs }) }
}

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

/**
 * Write-ahead: from here on the transfer may exist, and the chain is asked about it after `pauseMs`, even if this process
 * dies. `answerByMs` is for a batch: by then the mint server has answered.
 */
export const sign = <T extends Transfer>(
  transfer: T,
  window: SignedWindow,
  nowMs: number,
  answerByMs?: number,
  pauseMs = lookPauseMs(0)
): T =>
  step(transfer, nowMs, {
    status: "signed",
    window,
    sends: 1,
    nextActionAtMs: nowMs + pauseMs,
    ...(isBatch(transfer)
      ? {
          asked: undefined,
          signedAtMs: nowMs,
          triedAtMs: nowMs,
          answerByMs,
          claims: 0,
          said: [],
          reason: "the payment is on its way to the mint server"
        }
      : { reason: "sent, waiting for the chain" })
  })

/** The identical bytes go out once more. After those of a batch the chain is looked at as after the first. */
export const resend = <T extends Transfer>(transfer: T, nowMs: number, answerByMs?: number): T => {
  const sends = transfer.sends + 1
  if (!isBatch(transfer)) return { ...recheck(transfer, nowMs), sends }
  return step(transfer, nowMs, { sends, triedAtMs: nowMs, answerByMs, nextActionAtMs: nowMs + lookPauseMs(0) })
}

/** The server says that it was paid. Only the chain makes that true: it is asked after `pauseMs`. */
export const accept = (batch: Batch, mintTxs: ReadonlyArray<Bytes32>, nowMs: number, pauseMs = lookPauseMs(0)): Batch =>
  step(batch, nowMs, {
    status: batch.status === "paid" ? "paid" : "accepted",
    mintTxs: [...new Set([...batch.mintTxs, ...mintTxs])],
    triedAtMs: nowMs,
    answerByMs: undefined,
    claims: batch.claims + 1,
    nextActionAtMs: nowMs + pauseMs,
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

/** The chain was asked and proved nothing: it is asked again. */
export const recheck = <T extends Transfer>(
  transfer: T,
  nowMs: number,
  { reason = transfer.reason, pauseMs = lookPauseMs(transfer.looks + 1) }: { reason?: string; pauseMs?: number } = {}
): T => ({ ...transfer, looks: transfer.looks + 1, nextActionAtMs: nowMs + pauseMs, reason })

/**
 * Its mints are on chain, paid for or not: its server is not asked for them again, even where a later answer of a node
 * lacks them.
 */
export const seenMinted = (batch: Batch): Batch => ({ ...batch, claims: CLAIMS_MAX })

const paidBy = ({ tx, block, value }: UsedNonce) => ({ paymentTx: tx, paymentBlock: block, paidAmount: value })

const UNPAID = { paymentTx: undefined, paymentBlock: undefined, paidAmount: undefined }

const DONE = { nextActionAtMs: undefined, reason: undefined }

/**
 * `AuthorizationUsed` with the matching `Transfer`. The transaction comes from the log, not from the server. A payment
 * that was mined again after a reorganisation may find its mints there already.
 */
export const confirm = <T extends Transfer>(transfer: T, used: UsedNonce, nowMs: number): T => {
  if (!isBatch(transfer)) return step(transfer, nowMs, { status: "paid", ...DONE, ...paidBy(used) })
  return step(transfer, nowMs, {
    ...paidBy(used),
    signedAtMs: transfer.signedAtMs ?? nowMs,
    ...(transfer.minted === transfer.quantity
      ? { status: "delivered", ...DONE }
      : { status: "paid", nextActionAtMs: nowMs, reason: "paid, waiting for the mints" })
  })
}

/**
 * The transfer was on chain and is not any more. Its authorization may be mined again, so that nothing is known but what
 * was signed. Where that is not known either, after a restored backup, a person has to look; the money of a refund waits
 * for that.
 */
export const retract = <T extends Transfer>(transfer: T, nowMs: number, reason: string): T => {
  const isLost = transfer.window === undefined
  const change = { ...UNPAID, nextActionAtMs: isLost ? undefined : nowMs, reason }
  return isBatch(transfer)
    ? step(transfer, nowMs, { ...change, status: isLost ? "held" : "unknown", claims: 0 })
    : step(transfer, nowMs, { ...change, status: isLost ? "held" : "signed", keepsMoney: isLost })
}

/**
 * The payment left the chain after a person had decided about the batch, and can never be made again: the decision
 * stands, and the money is the wallet's again.
 */
export const unpay = (batch: Batch, reason: string): Batch => ({ ...batch, ...UNPAID, signedAtMs: undefined, reason })

/**
 * A mint of the batch was on chain and is not any more: all of its mints are looked for anew, and the server may be asked
 * for them again, even where it said that it was done.
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
 * So many authorizations of a refund may lapse unused: one is a node that was away or gas that was dear, three in a row are
 * a person on USDC's blacklist or an account without gas, and no further one would fare better.
 */
export const VOIDS_MAX = 3

/**
 * The authorization can never be used any more, as of `block`: the transfer may be signed again, with the same nonce. No
 * mints of a batch are known by then; before it is signed again they are searched once more from the block of the first
 * signature on, as the logs of all nodes may be late. A refund that gets nowhere is held with its money, for a person.
 */
export const expire = <T extends Transfer>(
  transfer: T,
  { nowMs, block }: { readonly nowMs: number; readonly block: Block },
  reason?: string
): T => {
  const unsigned = { status: "planned", window: undefined, sends: 0 } as const
  if (!isBatch(transfer)) return step(transfer, nowMs, { ...unsigned, ...lapsed(transfer, nowMs) })
  return step(transfer, nowMs, {
    ...unsigned,
    asked: { since: transfer.window?.block ?? block.number, until: block.number },
    signedAtMs: undefined,
    triedAtMs: undefined,
    answerByMs: undefined,
    claims: 0,
    said: [],
    mintTxs: [],
    reference: undefined,
    nextActionAtMs: undefined,
    reason: reason ?? `not paid in time, signed again: ${transfer.reason ?? "no answer"}`
  })
}

const lapsed = ({ id, ...refund }: Refund, nowMs: number): Partial<Refund> => {
  const voids = refund.voids + 1
  const last = refund.reason ?? "no reason is known"
  if (voids < VOIDS_MAX) return { voids, nextActionAtMs: nowMs, reason: `not on chain in time, signed again: ${last}` }
  return { voids, ...heldWithMoney(`refund ${id.slice(0, 8)} was not on chain in time ${voids} times: ${last}`) }
}

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
export const hold = <T extends Transfer>(transfer: T, reason: string, nowMs: number, spent?: UsedNonce): T =>
  step(transfer, nowMs, { status: "held", nextActionAtMs: undefined, reason, ...(spent && paidBy(spent)) })

const heldWithMoney = (reason: string) =>
  ({ status: "held", keepsMoney: true, nextActionAtMs: undefined, reason }) as const

/**
 * A person has to decide about a refund that gets nowhere, with its nonce unspent. What it reserves stays reserved: a
 * newer order would take it else, and the credit that a person asked back would be gone.
 */
export const holdWithMoney = (refund: Refund, reason: string): Refund => ({ ...refund, ...heldWithMoney(reason) })

/** A person gave a refund up: what it reserved is free. Only where no authorization of it is live. */
export const withdrawRefund = (refund: Refund, why: string): Refund => ({
  ...refund,
  status: "withdrawn",
  keepsMoney: false,
  nextActionAtMs: undefined,
  reason: `withdrawn: ${why}`
})

/** What a person decided: `minted` mints of the batch are there, and nothing more will be asked or paid for it. */
export const resolve = (batch: Batch, minted: number, reason: string, nowMs: number): Batch =>
  step(batch, nowMs, { status: "resolved", minted, nextActionAtMs: undefined, reason })

/** What a block shows of a transfer. */
export type TransferEvidence = "paid" | "otherTransfer" | "cancelled" | "void" | "unknown"

/**
 * - `paid`: its nonce was used for the amount and the payee that were signed. Where nothing is signed, after a restored
 *   backup, for all that it may move and to one who may be paid.
 * - `otherTransfer`: its nonce was used for another transfer. Must not happen.
 * - `cancelled`: the payer's key cancelled the nonce. Must not happen; it will never be paid.
 * - `void`: unused, in a confirmed block at or past `validBefore`: what was signed, if anything was, can never be used
 *   (EIP-3009 is strict).
 * - `unknown`: nothing is proven yet.
 */
export const classifyEvidence = (
  { window, amount, payTo }: Pick<Transfer, "window" | "amount" | "payTo">,
  outcome: AuthorizationOutcome,
  block: Block,
  payees: ReadonlyArray<Address> = []
): TransferEvidence => {
  switch (outcome._tag) {
    case "Used": {
      const isPayee = window === undefined ? [payTo, ...payees].includes(outcome.to) : outcome.to === window.payTo
      return isPayee && outcome.value === (window?.amount ?? amount) ? "paid" : "otherTransfer"
    }
    case "Canceled":
      return "cancelled"
    case "Unexplained":
      return "unknown"
    case "Unused":
      return block.timeMs >= (window?.validBefore ?? 0) * 1000 ? "void" : "unknown"
  }
}

/** USDC that left a wallet, as the chain has shown; below zero where that is not on chain any more. */
export interface Spent {
  readonly amount: bigint
  readonly block: bigint
}

/** The payment that this very step of a transfer proves, or takes back. */
export const paymentIn = (before: TransferState, after: TransferState): Spent | undefined => {
  const isTakenBack = before.paymentTx !== undefined && after.paymentTx === undefined
  const { paidAmount: amount, paymentBlock: block } = isTakenBack ? before : after
  if (amount === undefined || block === undefined) return undefined
  if (isTakenBack) return { amount: -amount, block }
  return before.paymentTx === undefined ? { amount, block } : undefined
}

/** Whether a step changes what its wallet has, or what of it is reserved. */
export const movesMoney = (before: TransferState, after: TransferState): boolean =>
  after.status !== before.status || paymentIn(before, after) !== undefined
