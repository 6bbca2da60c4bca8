import { Clock, Duration, Effect, Result } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import type { SignedWindow } from "../domain/Authorization.ts"
import type { Batch } from "../domain/Batch.ts"
import { sign } from "../domain/transferTransitions.ts"
import { type Block, blockBefore } from "../domain/Block.ts"
import { counted } from "../domain/text.ts"
import { type AcceptedOffer, chooseOffer } from "../domain/Offer.ts"
import { isWaiting, messageAfterWaiting, messages, shortId, type Task } from "../domain/Task.ts"
import { format } from "../domain/Usdc.ts"
import { type Standstill, standstillOf, type UsdcState } from "../domain/UsdcState.ts"
import { Minter, type MintQuote, type NoOffer } from "../mint/Minter.ts"
import { alone } from "../ops/eachAlone.ts"
import * as Log from "../ops/Log.ts"
import { Outrun, TaskRepo, wasFirst } from "../ledger/TaskRepo.ts"
import { mintsUnpaid } from "./mints.ts"
import { holdOrder, pauseForOutage, pauseTask, pauseUnwritable, isLocked, refuseTask, stallTask } from "./outcome.ts"
import { Outage, STANDSTILL_MS } from "./Outage.ts"
import { answerByMs } from "./pace.ts"
import { type Asking, askFor, askPrice, dismiss, lookBack, noteDone, waitForClaimed } from "./price.ts"
import { send } from "./send.ts"
import { ServerRequests } from "./ServerRequests.ts"
import { holdWhere, standstillFor } from "./standstill.ts"
import { UsdcCode } from "./UsdcCode.ts"
import type { OpenWork } from "../domain/WalletState.ts"
import { observe, recordOutcome, signTransfer, windowFrom } from "./transfers.ts"

/** A server that claims to need less would have payments lapse on their way: facilitators refuse the last 6 seconds. */
const WINDOW_SECONDS_MIN = 30

/** While a payment for a token is undelivered, no other wallet pays for it. */
const UNDELIVERED_PAUSE_MS = 15_000

/** How soon to ask again where a node has no logs of a nonce that is spent. */
const UNEXPLAINED_PAUSE_MS = 15_000

/**
 * Begins to pay for a planned batch: what the chain and the ledger show is read, and the price is asked. What
 * follows from that waits for the server, and is done beside the turns of the wallet.
 */
export const payBatch = Effect.fn("Wallet.payBatch")(function* (work: OpenWork, task: Task, batch: Batch) {
  const { network, mintPayTo: payees } = yield* Settings
  const confirmed = yield* (yield* ChainClient).confirmedBlock
  const fromBlock = blockBefore(confirmed, task.createdAtMs, network.blockSeconds)
  // After a restored backup the chain may know more than the ledger: a batch that is paid is neither refused nor signed.
  const [observed] = yield* observe([batch], { fromBlock, payees })
  if (observed === undefined) return
  return yield* recordOutcome(observed, {
    onVoid: beginPayment({ work, task, batch, state: observed.usdc }, confirmed),
    onUnknown: pauseTask(task, UNEXPLAINED_PAUSE_MS, "no node tells how its nonce was spent")
  })
})

/** A planned batch whose nonce is free, and whether USDC moves between those that it is for. */
interface Planned {
  readonly task: Task
  readonly batch: Batch
  readonly work: OpenWork
  readonly state: UsdcState
}

const beginPayment = Effect.fnUntraced(function* (planned: Planned, confirmed: Block) {
  const { work, task, batch, state } = planned
  const mustWait = yield* (yield* UsdcCode).reasonToWait
  if (mustWait !== undefined) return yield* pauseForOutage(task, mustWait)
  const standstill = yield* standstillFor(state, { payer: batch.payer })
  if (standstill !== undefined) return yield* standAside(work, task, standstill)
  // First of all: mints that the server has made already may be all that the token allows.
  if (yield* lookBack(batch, task, confirmed)) return
  const obstacle = yield* obstacleTo(batch)
  if (obstacle?._tag === "Undelivered") return yield* pauseTask(task, UNDELIVERED_PAUSE_MS, obstacle.reason)
  if (obstacle?._tag === "SoldOut") return yield* refuseTask(task, obstacle.reason, "chain")
  const { asksForPrice } = yield* Minter
  if (!asksForPrice) return yield* payAtPrice({ ...planned, asking: batch })
  const asking = yield* askFor(batch, task, confirmed)
  const request = alone(task.id, payAtPrice({ ...planned, asking }), pauseUnwritable(task))
  yield* (yield* ServerRequests).start(
    batch.walletId,
    Effect.catchIf(request, isLocked, () => Effect.fail(new Outrun()))
  )
})

/** Asks what a batch costs, checks that against the quote, signs, commits the claim, and sends it. */
const payAtPrice = Effect.fn("Wallet.payAtPrice")(function* (planned: Planned & Asking) {
  const { task, batch, asking } = planned
  const quoted = yield* askPrice(planned)
  if (quoted === undefined) return yield* new Outrun()
  if (Result.isFailure(quoted)) return yield* withoutOffer(planned, quoted.failure)
  yield* (yield* Outage).serverAnswered(priceOf(task))
  // It asked for money: it has done nothing yet, also where no payment follows now.
  const unasked = wasFirst(dismiss(planned))
  const ready = yield* prepare(planned, quoted.success).pipe(Effect.tapError(() => Effect.ignore(unasked)))
  if (Result.isFailure(ready)) {
    const isDone = yield* wasFirst(ready.failure)
    yield* unasked
    return isDone ? undefined : yield* new Outrun()
  }
  const { signed, accepted, signature, nowMs } = ready.success
  // The claim: from here on the payment may exist, even if this process dies.
  const { maxRetryCount } = yield* Settings
  const note = isWaiting(task) ? { waiting: messageAfterWaiting(task, maxRetryCount) } : {}
  const change = { nextActionAtMs: null, ...note }
  const claim = { before: asking, after: signed, onlyFor: task, task: { expected: task, change } }
  const claiming = (yield* TaskRepo).saveBatch(claim, nowMs)
  yield* Effect.tapErrorTag(claiming, "Outrun", () => unasked)
  yield* Log.mint(
    `Paying ${format(accepted.amount)} USDC for ${counted(batch.quantity, "mint")}: task ${shortId(task.id)}, batch ${batch.number}`,
    { task: task.id, batch: batch.number, wallet: batch.payer, nonce: batch.nonce }
  )
  const claimed = { ...signed, version: asking.version + 1 }
  const sending = send(claimed, quoted.success, accepted, signature, task)
  yield* (yield* ServerRequests).start(
    batch.walletId,
    alone(task.id, sending, () => Effect.fail(new Outrun()))
  )
})

/** What can be claimed and sent; or what is to be done instead, where nothing may be paid now. */
const prepare = Effect.fnUntraced(function* ({ work, task, batch, asking, state }: Planned & Asking, quote: MintQuote) {
  const offer = yield* offerFor(batch, quote)
  if (Result.isFailure(offer)) return Result.fail(refuseTask(task, offer.failure))
  const barred = standstillOf(state, { payer: batch.payer, payee: offer.success.payTo })
  if (barred !== undefined) return Result.fail(standAside(work, task, barred))
  const block = yield* (yield* ChainClient).confirmedBlock
  const outage = yield* Outage
  if ((yield* outage.standstillMs(block)) > STANDSTILL_MS) {
    return Result.fail(pauseForOutage(task, "the chain makes no blocks"))
  }
  yield* outage.over
  // Mints that came into sight since they were searched: the next turn holds the batch.
  if ((yield* mintsUnpaid(batch)).length > 0) return Result.fail(Effect.void)
  const window = yield* windowFor(offer.success, block)
  const nowMs = yield* Clock.currentTimeMillis
  const signed = sign(asking, window, nowMs, yield* answerByMs)
  const signature = yield* Effect.result(signTransfer(work.wallet, signed))
  if (Result.isSuccess(signature)) {
    return Result.succeed({ signed, accepted: offer.success, signature: signature.success, nowMs })
  }
  return Result.fail(holdOrder(task, messages.held(signature.failure.message)))
})

/** While USDC is paused all wallets wait; of a blacklisted wallet all orders are held, of a blacklisted payee its order. */
const standAside = Effect.fnUntraced(function* (work: OpenWork, task: Task, standstill: Standstill) {
  if (standstill._tag === "Paused") return yield* pauseForOutage(task, standstill.reason)
  const tasks = standstill._tag === "Payer" ? work.tasks : [task]
  yield* holdWhere(
    standstill,
    tasks.map(({ id }) => id)
  )
  // What could not be held is read again in a moment, and not at once.
  return yield* new Outrun()
})

/** The order waits or is refused, and only then may the price be asked again. */
const withoutOffer = Effect.fnUntraced(function* (planned: Planned & Asking, noOffer: NoOffer) {
  const isWaiting = yield* wasFirst(waitForOffer(planned.task, noOffer))
  const isNoted = yield* wasFirst(noteDone(planned, noOffer.did ?? "unknown"))
  if (!isWaiting && !isNoted) return yield* new Outrun()
})

/** Whose doing it is that there is no offer decides who waits for it. */
const waitForOffer = Effect.fnUntraced(function* (task: Task, { reason, message, did }: NoOffer) {
  const outage = yield* Outage
  if (did === "claims") return yield* waitForClaimed(task, message)
  if (reason === "Unavailable") {
    yield* outage.serverFailed(priceOf(task), message)
    return yield* pauseForOutage(task, message)
  }
  yield* outage.serverAnswered(priceOf(task))
  return yield* reason === "Refused" ? refuseTask(task, message) : stallTask(task, message)
})

const priceOf = ({ id }: Task): string => `price:${id}`

/** What stands against paying for this batch now, at any price. */
const obstacleTo = Effect.fnUntraced(function* (batch: Batch) {
  const { mintTimeout } = yield* Settings
  const nowMs = yield* Clock.currentTimeMillis
  const stuck = yield* (yield* TaskRepo).undelivered(batch.token, nowMs - Duration.toMillis(mintTimeout))
  if (stuck !== undefined) {
    const where = `task ${shortId(stuck.taskId)}, batch ${stuck.number}`
    const reason = `payments to token ${batch.token} are stopped: ${where} is paid and not delivered`
    yield* Log.warnOnce(`undelivered:${batch.token}`, `⚠️ P${reason.slice(1)}`, { token: batch.token })
    return { _tag: "Undelivered", reason } as const
  }
  const left = yield* (yield* ChainClient).readRemainingSupply(batch.token)
  if (left === undefined || left >= BigInt(batch.quantity)) return undefined
  return {
    _tag: "SoldOut",
    reason: `the token allows ${counted(left, "more mint")}, this batch needs ${batch.quantity}`
  } as const
})

/** The quote binds: at most the quoted price, in USDC on this chain, to the token or an address of `MINT_PAY_TO`. */
const offerFor = Effect.fnUntraced(function* (batch: Batch, quote: MintQuote) {
  const { network, mintPayTo } = yield* Settings
  return chooseOffer(quote.offers, {
    chainId: network.chainId,
    asset: network.usdc.address,
    domain: network.usdc,
    maxAmount: batch.amount,
    payees: [batch.payTo, ...mintPayTo],
    quantity: batch.quantity
  })
})

/** Not much longer than the server says that it may need. */
const windowFor = Effect.fnUntraced(function* ({ amount, payTo, offer }: AcceptedOffer, block: Block) {
  const { authorizationWindow } = yield* Settings
  const needed = Math.max(WINDOW_SECONDS_MIN, offer.maxTimeoutSeconds ?? Number.POSITIVE_INFINITY)
  const seconds = Math.min(Duration.toSeconds(authorizationWindow), needed)
  return { amount, payTo, ...(yield* windowFrom(block, seconds)) } satisfies SignedWindow
})
