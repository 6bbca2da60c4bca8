import { Clock, Context, Effect, Layer } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import type { KeyCustody } from "../chain/KeyCustody.ts"
import type { SettingsShape } from "../config/Settings.ts"
import type { Address, Bytes32 } from "../domain/Address.ts"
import { type AuthorizationOutcome, authorizationOf, type UsedNonce } from "../domain/Authorization.ts"
import type { Batch } from "../domain/Batch.ts"
import type { Block } from "../domain/Block.ts"
import type { Refund } from "../domain/Refund.ts"
import { counted } from "../domain/text.ts"
import { shortId } from "../domain/Task.ts"
import { classifyEvidence, confirm, hold, isBatch, type Transfer } from "../domain/transferTransitions.ts"
import { format } from "../domain/Usdc.ts"
import { standstillOf, type UsdcState } from "../domain/UsdcState.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { mintKey, TaskRepo } from "../ledger/TaskRepo.ts"
import * as Clocks from "../ops/Clocks.ts"
import * as Incidents from "../ops/Incidents.ts"
import * as Log from "../ops/Log.ts"
import { Orders } from "./Orders.ts"
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

interface Proof {
  readonly block: bigint
  readonly blockHash?: Bytes32 | undefined
}

/** What the chain shows of transfers. */
const makeReads = Effect.gen(function* () {
  const chain = yield* ChainClient
  const repo = yield* TaskRepo

  /**
   * Keeps the hashes of blocks that proved something, before it is written down: a fork may begin between the block of
   * the last sweep and this one, and the next sweep would not notice.
   */
  const noteProofs = (shown: ReadonlyArray<Proof | AuthorizationOutcome>) => {
    const hashes = new Map(
      shown.flatMap((proof): ReadonlyArray<[bigint, Bytes32]> => {
        const isOne = "blockHash" in proof && proof.blockHash !== undefined
        return isOne ? [[proof.block, proof.blockHash]] : []
      })
    )
    if (hashes.size === 0) return Effect.void
    return repo.noteProofs([...hashes].map(([block, hash]) => ({ block, hash })))
  }

  /** Asks the chain for what became of these transfers' nonces, in one question. */
  const observe = Effect.fn("Wallet.observe")(function* <T extends Transfer>(
    transfers: ReadonlyArray<T>,
    { fromBlock = 0n, payees = [] }: Unsigned = {}
  ) {
    if (transfers.length === 0) return []
    const queries = transfers.map((transfer) => {
      const { payer, nonce, window } = transfer
      return { payer, nonce, fromBlock: window?.block ?? fromBlock, expected: expectedOf(transfer) }
    })
    const parties = transfers.flatMap(({ payer, payTo, window }) => [payer, window?.payTo ?? payTo])
    const { block, outcomes, usdc } = yield* chain.readAuthorizations(queries, [...parties, ...payees])
    yield* noteProofs(outcomes)
    return transfers.map((transfer, index): Observed<T> => {
      const outcome = outcomes[index] ?? { _tag: "Unexplained" }
      return { transfer, outcome, block, usdc, payees }
    })
  })

  return { noteProofs, observe }
})

/** Before it is signed it is not known what a batch will pay, and to whom: less than it may, or to another payee. */
const expectedOf = (transfer: Transfer) => {
  const { payTo: to, amount: value } = transfer.window ?? transfer
  return isBatch(transfer) && transfer.window === undefined ? undefined : { to, value }
}

/** What is done where the chain shows that it is paid, that the nonce is free for good, and where it shows nothing yet. */
interface Open<T extends Transfer, A, E> {
  /** It is recorded as paid, and is in the ledger like this. Left out: nothing more is done. */
  readonly onPaid?: (paid: T) => Effect.Effect<A, E>
  readonly onVoid: Effect.Effect<A, E>
  readonly onUnknown: Effect.Effect<A, E>
}

/** What is recorded of transfers. */
const makeWrites = Effect.gen(function* () {
  const repo = yield* TaskRepo
  const { holdBatch } = yield* Orders

  /** Writes a step of a transfer. */
  const saveTransfer = Effect.fnUntraced(function* <T extends Transfer>(before: T, after: T) {
    const nowMs = yield* Clock.currentTimeMillis
    if (isBatch(before) && isBatch(after)) return yield* repo.saveBatch({ before, after }, nowMs)
    if (!isBatch(before) && !isBatch(after)) return yield* repo.saveRefund({ before, after }, nowMs)
    return yield* Effect.die(new Error("a batch became a refund"))
  })

  /** Stops a refund for a person. */
  const holdRefund = Effect.fnUntraced(function* (refund: Refund, held: Refund) {
    yield* saveTransfer(refund, held)
    const said = `🚨 Refund of ${format(refund.amount)} USDC from ${refund.payer} is held: ${held.reason}`
    yield* Log.error(said, refundFields(refund))
  })

  const holdTransfer = Effect.fnUntraced(function* (transfer: Transfer, what: string, spent?: UsedNonce) {
    if (isBatch(transfer)) return yield* holdBatch(transfer, what, spent)
    return yield* holdRefund(transfer, hold(transfer, what, yield* Clock.currentTimeMillis, spent))
  })

  /**
   * Records what became of a transfer, of either purpose: the same after an answer, a timeout, a refusal, a crash or a
   * restored backup. What the chain shows counts, not what was sent. Gives what was done then.
   */
  const recordOutcome = Effect.fn("Wallet.recordOutcome")(function* <T extends Transfer, A, E>(
    { transfer, outcome, block, payees }: Observed<T>,
    { onPaid, onVoid, onUnknown }: Open<T, A, E>
  ) {
    switch (classifyEvidence(transfer, outcome, block, payees)) {
      case "paid": {
        if (outcome._tag !== "Used") return undefined
        const paid = confirm(transfer, outcome, yield* Clock.currentTimeMillis)
        yield* saveTransfer(transfer, paid)
        yield* logPaid(transfer, outcome)
        return onPaid === undefined ? undefined : yield* onPaid({ ...paid, version: transfer.version + 1 })
      }
      case "otherTransfer":
        if (outcome._tag !== "Used") return undefined
        yield* holdTransfer(transfer, otherTransfer(transfer, outcome, payees), outcome)
        return undefined
      case "cancelled":
        yield* holdTransfer(transfer, "its nonce was cancelled on chain: it can never be paid")
        return undefined
      case "void":
        return yield* onVoid
      case "unknown":
        return yield* onUnknown
    }
  })

  return { saveTransfer, holdRefund, recordOutcome }
})

/** How many blocks before its payment a server may have minted for a batch whose time of signing is unknown. */
const EARLY_BLOCKS = 150n

/** Mints on chain that may be those of a batch. */
const makeMints = Effect.gen(function* () {
  const chain = yield* ChainClient
  const repo = yield* TaskRepo

  /** Mints of a token to a person that belong to no batch yet, from `fromBlock` (inclusive), oldest first. */
  const unclaimedMints = Effect.fnUntraced(function* (
    { token, recipient, portion }: Pick<Batch, "token" | "recipient" | "portion">,
    fromBlock: bigint,
    everywhere = false
  ) {
    const mints = yield* chain.findMints({ token, recipient, fromBlock, portion, everywhere })
    const claimed = yield* repo.attributedMints({ token, recipient }, mints)
    return mints.filter((mint) => !claimed.has(mintKey(mint)))
  })

  /**
   * Mints that the batch's payment may have brought. A server may mint before it settles: they are searched from the
   * first block after the one that was confirmed when the payment was signed.
   */
  const mintsFor = (batch: Batch, everywhere = false) => {
    const paidBlock = batch.paymentBlock ?? 0n
    const early = paidBlock > EARLY_BLOCKS ? paidBlock - EARLY_BLOCKS : 0n
    return unclaimedMints(batch, batch.window === undefined ? early : batch.window.block + 1n, everywhere)
  }

  /** Mints that no payment stands behind: the server made them when it was asked for the price, or for a lapsed payment. */
  const mintsUnpaid = (batch: Batch) =>
    batch.asked === undefined ? Effect.succeed([]) : unclaimedMints(batch, batch.asked.since + 1n, true)

  return { unclaimedMints, mintsFor, mintsUnpaid }
})

export const neverPaidFor = (mints: { readonly length: number }): string =>
  `${counted(mints.length, "mint was", "mints were")} made and never paid for`

const make = Effect.gen(function* () {
  return { ...(yield* makeReads), ...(yield* makeWrites), ...(yield* makeMints) }
})

/** Transfers of either purpose and what they brought: what the chain shows of them, and what is recorded of that. */
export class Transfers extends Context.Service<Transfers>()("ai-mint-executor/executor/Transfers", { make }) {
  static readonly layer = Layer.effect(Transfers, make)
}

export const refundFields = ({ id, payer }: Refund) => ({ refund: id, wallet: payer })

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
  return `${paid}: it is not known for how many mints`
}

/** What keeps this very payment from being made, by what the chain showed of it. */
export const standstillFor = (state: UsdcState, parties: Parameters<typeof standstillOf>[1]) =>
  Effect.as(Incidents.noteUsdcPause(state), standstillOf(state, parties))

/** Made anew from the stored fields: the same fields give the same bytes. */
export const signTransfer = Effect.fnUntraced(function* (
  custody: KeyCustody["Service"],
  wallet: Wallet,
  transfer: Transfer
) {
  if (transfer.window === undefined) return yield* Effect.die(new Error("a transfer without a window is not signed"))
  const authorization = authorizationOf(transfer, transfer.window)
  return { ...authorization, signature: yield* custody.sign(wallet, authorization) }
})

/** The chain's clock may be behind ours and behind the signer's: a transfer is valid from ten minutes ago. */
const VALID_AFTER_BACK_SECONDS = 600

/**
 * The window of a transfer that is signed now: valid by every clock that settles it may go by, from ten minutes before the
 * slowest, for so many seconds from the fastest on. The proof that it is void stays the chain's, so that an outcome is
 * unknown for no longer than the window and what the fastest clock is ahead of the chain, ten minutes at the most.
 */
export const windowFrom = Effect.fnUntraced(function* (block: Block, seconds: number, settings: SettingsShape) {
  const timeMs = headMs(block, settings)
  const chainSeconds = Math.floor(timeMs / 1000)
  yield* Clocks.noteHead({ number: block.number, timeMs })
  const { earliestMs, latestMs } = yield* Clocks.spread
  return {
    validAfter: Math.max(0, chainSeconds + Math.floor(earliestMs / 1000) - VALID_AFTER_BACK_SECONDS),
    validBefore: chainSeconds + Math.ceil(latestMs / 1000) + Math.floor(seconds),
    block: block.number
  }
})
