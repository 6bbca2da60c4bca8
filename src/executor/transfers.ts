import { Clock, Effect } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { KeyCustody } from "../chain/KeyCustody.ts"
import type { Address, Bytes32 } from "../domain/Address.ts"
import { type AuthorizationOutcome, authorizationOf, type UsedNonce } from "../domain/Authorization.ts"
import type { Block } from "../domain/Block.ts"
import type { Refund } from "../domain/Refund.ts"
import { shortId } from "../domain/Task.ts"
import { classifyEvidence, confirm, hold, isBatch, type Transfer } from "../domain/transferTransitions.ts"
import { format } from "../domain/Usdc.ts"
import type { UsdcState } from "../domain/UsdcState.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { TaskRepo } from "../ledger/TaskRepo.ts"
import * as Clocks from "../ops/Clocks.ts"
import * as Log from "../ops/Log.ts"
import { holdBatch } from "./outcome.ts"
import { headMs } from "./pace.ts"

/** A transfer, and what one block shows of it. */
export interface Observed<T extends Transfer = Transfer> {
  readonly transfer: T
  readonly outcome: AuthorizationOutcome
  readonly block: Block
  /** Whether USDC moves, and which of the payers and payees its blacklist stops. */
  readonly usdc: UsdcState
  /** Who may be paid beside its own payee, where nothing is signed yet. */
  readonly payees: ReadonlyArray<Address>
}

interface Unsigned {
  /** Nothing of a transfer that has no window can be on chain before this block. */
  readonly fromBlock?: bigint
  readonly payees?: ReadonlyArray<Address>
}

/** Asks the chain for what became of these transfers' nonces, in one question. */
export const observe = Effect.fn("Wallet.observe")(function* <T extends Transfer>(
  transfers: ReadonlyArray<T>,
  { fromBlock = 0n, payees = [] }: Unsigned = {}
) {
  if (transfers.length === 0) return []
  const queries = transfers.map((transfer) => {
    const { payer, nonce, window } = transfer
    return { payer, nonce, fromBlock: window?.block ?? fromBlock, expected: expectedOf(transfer) }
  })
  const parties = transfers.flatMap(({ payer, payTo, window }) => [payer, window?.payTo ?? payTo])
  const { block, outcomes, usdc } = yield* (yield* ChainClient).readAuthorizations(queries, [...parties, ...payees])
  yield* noteProofs(outcomes)
  return transfers.map((transfer, index): Observed<T> => {
    const outcome = outcomes[index] ?? { _tag: "Unexplained" }
    return { transfer, outcome, block, usdc, payees }
  })
})

/** Before it is signed it is not known what a batch will pay, and to whom: less than it may, or to another payee. */
const expectedOf = (transfer: Transfer) => {
  const { payTo: to, amount: value } = transfer.window ?? transfer
  return isBatch(transfer) && transfer.window === undefined ? undefined : { to, value }
}

interface Proof {
  readonly block: bigint
  readonly blockHash?: Bytes32 | undefined
}

/**
 * Keeps the hashes of blocks that proved something, before it is written down: a fork may begin between the block of the
 * last sweep and this one, and the next sweep would not notice.
 */
export const noteProofs = Effect.fnUntraced(function* (shown: ReadonlyArray<Proof | AuthorizationOutcome>) {
  const hashes = new Map(
    shown.flatMap((proof): ReadonlyArray<[bigint, Bytes32]> => {
      const isOne = "blockHash" in proof && proof.blockHash !== undefined
      return isOne ? [[proof.block, proof.blockHash]] : []
    })
  )
  if (hashes.size === 0) return
  yield* (yield* TaskRepo).noteProofs([...hashes].map(([block, hash]) => ({ block, hash })))
})

/** What is done where the chain shows that the nonce is free for good, and where it shows nothing yet. */
interface Open<E, R> {
  readonly onVoid: Effect.Effect<void, E, R>
  readonly onUnknown: Effect.Effect<void, E, R>
}

/**
 * Records what became of a transfer, of either purpose: the same after an answer, a timeout, a refusal, a crash or a
 * restored backup. What the chain shows counts, not what was sent.
 */
export const recordOutcome = Effect.fn("Wallet.recordOutcome")(function* <E, R>(
  { transfer, outcome, block, payees }: Observed,
  { onVoid, onUnknown }: Open<E, R>
) {
  switch (classifyEvidence(transfer, outcome, block, payees)) {
    case "paid":
      if (outcome._tag === "Used") yield* recordPayment(transfer, outcome)
      return
    case "otherTransfer":
      if (outcome._tag !== "Used") return
      return yield* holdTransfer(transfer, otherTransfer(transfer, outcome, payees), outcome)
    case "cancelled":
      return yield* holdTransfer(transfer, "its nonce was cancelled on chain: it can never be paid")
    case "void":
      return yield* onVoid
    case "unknown":
      return yield* onUnknown
  }
})

const recordPayment = Effect.fnUntraced(function* (transfer: Transfer, used: UsedNonce) {
  yield* saveTransfer(transfer, confirm(transfer, used, yield* Clock.currentTimeMillis))
  yield* logPaid(transfer, used)
})

const logPaid = (transfer: Transfer, { tx, value }: UsedNonce) => {
  if (!isBatch(transfer)) {
    const said = `Refund of ${format(transfer.amount)} USDC to ${transfer.payTo} is paid`
    return Log.success(said, { ...refundFields(transfer), tx })
  }
  const { taskId, number, window } = transfer
  const named = `Task ${shortId(taskId)}, batch ${number}`
  const fields = { task: taskId, batch: number, tx }
  return window === undefined
    ? Log.warn(`⚠️ ${named} was paid before: the ledger is from a backup`, fields)
    : Log.info(`💸 ${named}: ${format(value)} USDC paid`, fields)
}

const otherTransfer = (transfer: Transfer, { to, value }: UsedNonce, payees: ReadonlyArray<Address>): string => {
  const { amount, payTo, window } = transfer
  if (!isBatch(transfer)) return "its nonce was used for another transfer"
  if (window !== undefined) return "its nonce was used for another transfer than the one signed here"
  if (![payTo, ...payees].includes(to) || value > amount) {
    return "its nonce was used for another transfer than it is for"
  }
  const paid = `it was paid ${format(value)} USDC before the ledger was restored, and is worth ${format(amount)}`
  return `${paid}: nobody can tell for how many mints`
}

const holdTransfer = Effect.fnUntraced(function* (transfer: Transfer, what: string, spent?: UsedNonce) {
  if (isBatch(transfer)) return yield* holdBatch(transfer, what, spent)
  return yield* holdRefund(transfer, hold(transfer, what, yield* Clock.currentTimeMillis, spent))
})

/** Stops a refund for a person. */
export const holdRefund = Effect.fnUntraced(function* (refund: Refund, held: Refund) {
  yield* saveTransfer(refund, held)
  const said = `🚨 Refund of ${format(refund.amount)} USDC from ${refund.payer} is held: ${held.reason}`
  yield* Log.error(said, refundFields(refund))
})

export const refundFields = ({ id, payer }: Refund) => ({ refund: id, wallet: payer })

/** Writes a step of a transfer. */
export const saveTransfer = Effect.fnUntraced(function* <T extends Transfer>(before: T, after: T) {
  const repo = yield* TaskRepo
  const nowMs = yield* Clock.currentTimeMillis
  if (isBatch(before) && isBatch(after)) return yield* repo.saveBatch({ before, after }, nowMs)
  if (!isBatch(before) && !isBatch(after)) return yield* repo.saveRefund({ before, after }, nowMs)
  return yield* Effect.die(new Error("a batch became a refund"))
})

/** Made anew from the stored fields: the same fields give the same bytes. */
export const signTransfer = Effect.fnUntraced(function* (wallet: Wallet, transfer: Transfer) {
  if (transfer.window === undefined) return yield* Effect.die(new Error("a transfer without a window is not signed"))
  const authorization = authorizationOf(transfer, transfer.window)
  return { ...authorization, signature: yield* (yield* KeyCustody).sign(wallet, authorization) }
})

/** The chain's clock may be behind ours and behind the signer's: a transfer is valid from ten minutes ago. */
const VALID_AFTER_BACK_SECONDS = 600

/**
 * The window of a transfer that is signed now: valid by every clock that settles it may go by, from ten minutes before the
 * slowest, for so many seconds from the fastest on. The proof that it is void stays the chain's, so that an outcome is
 * unknown for no longer than the window and what the fastest clock is ahead of the chain, ten minutes at the most.
 */
export const windowFrom = Effect.fnUntraced(function* (block: Block, seconds: number) {
  const timeMs = yield* headMs(block)
  const chainSeconds = Math.floor(timeMs / 1000)
  yield* Clocks.noteHead({ number: block.number, timeMs })
  const { earliestMs, latestMs } = yield* Clocks.spread
  return {
    validAfter: Math.max(0, chainSeconds + Math.floor(earliestMs / 1000) - VALID_AFTER_BACK_SECONDS),
    validBefore: chainSeconds + Math.ceil(latestMs / 1000) + Math.floor(seconds),
    block: block.number
  }
})
