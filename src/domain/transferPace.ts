import type { TransferState } from "./Authorization.ts"
import { type Batch, isInFlight } from "./Batch.ts"

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

/** When a transfer in flight is looked at next. */
export const lookDueMs = ({ nextActionAtMs = 0 }: Pick<TransferState, "nextActionAtMs">, nowMs: number): number =>
  nextActionAtMs > nowMs + FAR_MS ? nowMs : nextActionAtMs

/** So many looks of the clock, about ten seconds, each new block may bring the end of a payment; then the clock alone counts. */
const LOOKS_WITH_BLOCKS = 3

/** Whether each new block may show what is still waited for: the mint server says that it is paid, or the chain does. */
export const awaitsBlock = ({ status, looks }: Batch): boolean =>
  (status === "accepted" || status === "paid") && looks < LOOKS_WITH_BLOCKS

/** Whether a payment in flight is not due to be looked at: then what a look does not find is left as it is. */
export const isEarly = (state: Pick<TransferState, "nextActionAtMs">, nowMs: number): boolean =>
  lookDueMs(state, nowMs) > nowMs

/** In flight, or its price is asked: nothing else of its order, its wallet and its token is begun meanwhile. */
export const isBusy = (batch: Batch, nowMs: number): boolean =>
  isInFlight(batch) || (batch.status === "planned" && isAwaited(batch, nowMs))
