import { Duration } from "effect"
import type { SettingsShape } from "../config/Settings.ts"
import type { SignedWindow } from "../domain/Authorization.ts"
import type { Batch } from "../domain/Batch.ts"
import { type Block, headTimeMs } from "../domain/Block.ts"
import { lookPauseMs } from "../domain/transferPace.ts"

/** Time beyond `MINT_TIMEOUT` for the answer to be stored, before the request counts as unanswered. */
const ANSWER_MARGIN_MS = 5_000

/** By when the answer to a request that leaves now is stored; after that the request counts as unanswered. */
export const answerByMs = ({ mintTimeout }: SettingsShape, nowMs: number): number =>
  nowMs + Duration.toMillis(mintTimeout) + ANSWER_MARGIN_MS

/** Whether a claimed request has not left by now, as its process slept: it must not leave beside the next one. */
export const isTooLate = (batch: Batch, { mintTimeout }: SettingsShape, nowMs: number): boolean =>
  nowMs > (batch.answerByMs ?? Number.POSITIVE_INFINITY) - Duration.toMillis(mintTimeout)

/** How long a block that comes now takes until it counts, one more block for its transaction included. */
export const confirmMs = ({ confirmations, network }: SettingsShape): number =>
  (confirmations + 1) * network.blockSeconds * 1000

/**
 * How long after a request the clock has its payment looked at. Before that the payment can hardly be in a block that
 * counts; where it is, and the server says so, the blocks wake its wallet.
 */
export const firstLookMs = (settings: SettingsShape): number =>
  settings.checkTrigger === "block" ? confirmMs(settings) : lookPauseMs(0)

/** The time of the chain's newest block, by one that counts. */
export const headMs = (block: Block, { confirmations, network: { blockSeconds } }: SettingsShape): number =>
  headTimeMs(block, { confirmations, blockSeconds })

/** Bytes that could no longer be settled in time are not sent again. */
const RESEND_MARGIN_MS = 15_000

/** Whether a payment that leaves now can still be settled, by the chain's time. */
export const canBeSettled = ({ validBefore }: SignedWindow, chainMs: number): boolean =>
  chainMs + RESEND_MARGIN_MS < validBefore * 1000

/** How soon to try again where another program holds a row. */
export const LOCKED_PAUSE_MS = 5_000

/** How soon to try again an order of which a row cannot be written. A pause is ours alone, and no change of that row. */
export const UNWRITABLE_PAUSE_MS = 60_000

/** Another program was first: leave it a moment before looking again. */
export const OUTRUN_PAUSE_MS = 1_000
