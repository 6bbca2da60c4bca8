import { Clock, Duration, Effect, Result } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { KeyCustody } from "../chain/KeyCustody.ts"
import { Settings, type SettingsShape } from "../config/Settings.ts"
import type { SignedWindow } from "../domain/Authorization.ts"
import type { Batch } from "../domain/Batch.ts"
import { ask, CLAIMS_MAX, didNothing, mayHaveDone, sign } from "../domain/transferTransitions.ts"
import { type Block, blockBefore } from "../domain/Block.ts"
import { counted } from "../domain/text.ts"
import { type AcceptedOffer, chooseOffer } from "../domain/Offer.ts"
import { isWaiting, messageAfterWaiting, messages, shortId, type Task } from "../domain/Task.ts"
import { format } from "../domain/Usdc.ts"
import { type Standstill, standstillOf, type UsdcState } from "../domain/UsdcState.ts"
import { type Did, Minter, type MintQuote, type NoOffer } from "../mint/Minter.ts"
import { alone } from "../ops/eachAlone.ts"
import * as Log from "../ops/Log.ts"
import { type BatchSave, Outrun, TaskRepo, wasFirst } from "../ledger/TaskRepo.ts"
import { leftOf, unknown } from "./left.ts"
import { isLocked, noteOf, Orders } from "./Orders.ts"
import { Outage, STANDSTILL_MS } from "./Outage.ts"
import { answerByMs, confirmMs, firstLookMs, isTooLate } from "./pace.ts"
import { makeSend } from "./send.ts"
import { outrun, type Place } from "./ServerRequests.ts"
import { UsdcCode } from "./UsdcCode.ts"
import type { OpenWork } from "../domain/WalletState.ts"
import { neverPaidFor, signTransfer, standstillFor, Transfers, windowFrom } from "./Transfers.ts"

/** A server that claims to need less would have payments lapse on their way: facilitators refuse the last 6 seconds. */
const WINDOW_SECONDS_MIN = 30

/** While a payment for a token is undelivered, no other wallet pays for it. */
const UNDELIVERED_PAUSE_MS = 15_000

/** How soon to ask again where a node has no logs of a nonce that is spent. */
const UNEXPLAINED_PAUSE_MS = 15_000

/** A planned batch whose nonce is free, and whether USDC moves between those that it is for. */
interface Planned {
  readonly task: Task
  readonly batch: Batch
  readonly work: OpenWork
  readonly state: UsdcState
  readonly place: Place
}

/** Pays for planned batches. */
export const makePay = Effect.gen(function* () {
  const { network, mintPayTo: payees } = yield* Settings
  const chain = yield* ChainClient
  const minter = yield* Minter
  const usdcCode = yield* UsdcCode
  const { observe, recordOutcome } = yield* Transfers
  const { pauseForOutage, pauseTask, pauseUnwritable, refuseTask } = yield* Orders
  const { askFor } = yield* makePrice
  const lookBack = yield* makeLookBack
  const obstacleTo = yield* makeObstacleTo
  const { standAside } = yield* makePrepare
  const payAtPrice = yield* makePayAtPrice

  const begin = Effect.fnUntraced(function* (planned: Planned, confirmed: Block) {
    const { work, task, batch, state, place } = planned
    const mustWait = yield* usdcCode.reasonToWait
    if (mustWait !== undefined) return yield* unknown(pauseForOutage(task, mustWait))
    const standstill = yield* standstillFor(state, { payer: batch.payer })
    if (standstill !== undefined) return yield* unknown(standAside(work, task, standstill))
    // First of all: mints that the server has made already may be all that the token allows.
    if (yield* lookBack(batch, task, confirmed)) return undefined
    const obstacle = yield* obstacleTo(batch)
    if (obstacle?._tag === "Undelivered") return yield* unknown(pauseTask(task, UNDELIVERED_PAUSE_MS, obstacle.reason))
    if (obstacle?._tag === "SoldOut") return yield* unknown(refuseTask(task, obstacle.reason, "chain"))
    if (!minter.asksForPrice) return yield* payAtPrice({ ...planned, asking: batch })
    const asking = yield* askFor(batch, task, confirmed)
    const paying = alone(task.id, payAtPrice({ ...planned, asking }), (error) => unknown(pauseUnwritable(task)(error)))
    yield* place.start(Effect.catchIf(paying, isLocked, outrun))
    // Its answer brings what comes next.
    return { dueMs: asking.answerByMs }
  })

  /**
   * Begins to pay for a planned batch: what the chain and the ledger show is read, and the price is asked. What
   * follows from that waits for the server, and is done beside the turns of the wallet. Gives what is left of the batch,
   * where that is known.
   */
  return Effect.fn("Wallet.payBatch")(function* (work: OpenWork, task: Task, batch: Batch, place: Place) {
    const confirmed = yield* chain.confirmedBlock
    const fromBlock = blockBefore(confirmed, task.createdAtMs, network.blockSeconds)
    // After a restored backup the chain may know more than the ledger: a batch that is paid is neither refused nor signed.
    const [observed] = yield* observe([batch], { fromBlock, payees })
    if (observed === undefined) return undefined
    const pause = pauseTask(task, UNEXPLAINED_PAUSE_MS, "no node tells how its nonce was spent")
    return yield* recordOutcome(observed, {
      onVoid: begin({ work, task, batch, state: observed.usdc, place }, confirmed),
      onUnknown: unknown(pause)
    })
  })
})

/** What stands against paying for a batch now, at any price. */
const makeObstacleTo = Effect.gen(function* () {
  const { mintTimeout } = yield* Settings
  const chain = yield* ChainClient
  const repo = yield* TaskRepo
  return Effect.fnUntraced(function* ({ token, quantity }: Batch) {
    const nowMs = yield* Clock.currentTimeMillis
    const stuck = yield* repo.undelivered(token, nowMs - Duration.toMillis(mintTimeout))
    if (stuck !== undefined) {
      const where = `task ${shortId(stuck.taskId)}, batch ${stuck.number}`
      const stopped = `payments to token ${token} are stopped`
      yield* Log.warnOnce(`undelivered:${token}`, `⚠️ P${stopped.slice(1)}: ${where} is paid and not delivered`, {
        token
      })
      // The reason is shown to the order's person, who must not learn of another person's order.
      const reason = `${stopped}: a batch of another order is paid and not delivered`
      return { _tag: "Undelivered", reason } as const
    }
    const left = yield* chain.readRemainingSupply(token)
    if (left === undefined || left >= BigInt(quantity)) return undefined
    const reason = `the token allows ${counted(left, "more mint")}, this batch needs ${quantity}`
    return { _tag: "SoldOut", reason } as const
  })
})

const makePayAtPrice = Effect.gen(function* () {
  const { maxRetryCount } = yield* Settings
  const repo = yield* TaskRepo
  const outage = yield* Outage
  const { askPrice, dismiss } = yield* makePrice
  const withoutOffer = yield* makeWithoutOffer
  const { prepare } = yield* makePrepare
  const send = yield* makeSend

  /** Asks what a batch costs, checks that against the quote, signs, commits the claim, and sends it. */
  return Effect.fn("Wallet.payAtPrice")(function* (planned: Planned & Asking) {
    const { task, batch, asking, place } = planned
    const quoted = yield* askPrice(planned)
    if (quoted === undefined) return yield* new Outrun()
    if (Result.isFailure(quoted)) return yield* unknown(withoutOffer(planned, quoted.failure))
    yield* outage.serverAnswered(priceOf(task))
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
    const note = isWaiting(task) ? { waiting: messageAfterWaiting(task, maxRetryCount) } : {}
    const change = { nextActionAtMs: null, ...note, ...(task.limitedSinceMs !== undefined && { limitedSinceMs: null }) }
    const claim = { before: asking, after: signed, onlyFor: task, task: { expected: task, change } }
    const claiming = repo.saveBatch(claim, nowMs)
    yield* Effect.tapErrorTag(claiming, "Outrun", () => unasked)
    yield* Log.mint(
      `Paying ${format(accepted.amount)} USDC for ${counted(batch.quantity, "mint")}: task ${shortId(task.id)}, batch ${batch.number}`,
      { task: task.id, batch: batch.number, wallet: batch.payer, nonce: batch.nonce }
    )
    const claimed = { ...signed, version: asking.version + 1 }
    const sending = send(place, claimed, { quote: quoted.success, accepted, payment: signature }, task)
    yield* place.start(alone(task.id, sending, outrun))
    return leftOf(claimed)
  })
})

/** The order waits or is refused, and only then may the price be asked again. */
const makeWithoutOffer = Effect.gen(function* () {
  const { mintTimeout } = yield* Settings
  const outage = yield* Outage
  const { pauseForOutage, pauseTask, refuseTask, stallTask } = yield* Orders
  const { noteDone } = yield* makePrice

  /** Whose doing it is that there is no offer decides who waits for it. */
  const waitForOffer = Effect.fnUntraced(function* (task: Task, { reason, message, did }: NoOffer) {
    if (did === "claims") {
      // Its mints, which it says are made without having been paid, get time to come before it is asked again.
      const said = `⚠️ Mints without a payment are looked for: ${message}`
      yield* Log.warnOnce(`claims:${task.id}`, said, { task: task.id })
      return yield* pauseTask(task, Duration.toMillis(mintTimeout), message)
    }
    if (reason === "Unavailable") {
      yield* outage.serverFailed(priceOf(task), message)
      return yield* pauseForOutage(task, message)
    }
    yield* outage.serverAnswered(priceOf(task))
    return yield* reason === "Refused" ? refuseTask(task, message) : stallTask(task, message)
  })

  return Effect.fnUntraced(function* (planned: Planned & Asking, noOffer: NoOffer) {
    const isWaiting = yield* wasFirst(waitForOffer(planned.task, noOffer))
    const isNoted = yield* wasFirst(noteDone(planned, noOffer.did ?? "unknown"))
    if (!isWaiting && !isNoted) return yield* new Outrun()
  })
})

const priceOf = ({ id }: Task): string => `price:${id}`

const makePrepare = Effect.gen(function* () {
  const settings = yield* Settings
  const chain = yield* ChainClient
  const custody = yield* KeyCustody
  const outage = yield* Outage
  const { holdOrder, holdWhere, pauseForOutage, refuseTask } = yield* Orders
  const { mintsUnpaid } = yield* Transfers

  /** While USDC is paused all wallets wait; of a blacklisted wallet all orders are held, of a blacklisted payee its order. */
  const standAside = Effect.fnUntraced(function* (work: OpenWork, task: Task, standstill: Standstill) {
    if (standstill._tag === "Paused") return yield* pauseForOutage(task, standstill.reason)
    const tasks = standstill._tag === "Payer" ? work.tasks : [task]
    const ids = tasks.map(({ id }) => id)
    yield* holdWhere(standstill, ids)
    // What could not be held is read again in a moment, and not at once.
    return yield* new Outrun()
  })

  /** What can be claimed and sent; or what is to be done instead, where nothing may be paid now. */
  const prepare = Effect.fnUntraced(function* (
    { work, task, batch, asking, state }: Planned & Asking,
    quote: MintQuote
  ) {
    const offer = offerFor(batch, quote, settings)
    if (Result.isFailure(offer)) return Result.fail(refuseTask(task, offer.failure))
    const barred = standstillOf(state, { payer: batch.payer, payee: offer.success.payTo })
    if (barred !== undefined) return Result.fail(standAside(work, task, barred))
    const block = yield* chain.confirmedBlock
    if ((yield* outage.standstillMs(block)) > STANDSTILL_MS) {
      return Result.fail(pauseForOutage(task, "the chain makes no blocks"))
    }
    yield* outage.over
    // Mints that came into sight since they were searched: the next turn holds the batch.
    if ((yield* mintsUnpaid(batch)).length > 0) return Result.fail(Effect.void)
    const window = yield* windowFor(offer.success, block, settings)
    const nowMs = yield* Clock.currentTimeMillis
    const signed = sign(asking, window, nowMs, answerByMs(settings, nowMs), firstLookMs(settings))
    const signature = yield* Effect.result(signTransfer(custody, work.wallet, signed))
    if (Result.isSuccess(signature)) {
      return Result.succeed({ signed, accepted: offer.success, signature: signature.success, nowMs })
    }
    return Result.fail(holdOrder(task, messages.held(signature.failure.message)))
  })

  return { standAside, prepare }
})

/** The quote binds: at most the quoted price, in USDC on this chain, to the token or an address of `MINT_PAY_TO`. */
const offerFor = (batch: Batch, quote: MintQuote, { network, mintPayTo }: SettingsShape) =>
  chooseOffer(quote.offers, {
    chainId: network.chainId,
    asset: network.usdc.address,
    domain: network.usdc,
    maxAmount: batch.amount,
    payees: [batch.payTo, ...mintPayTo],
    quantity: batch.quantity
  })

/** Not much longer than the server says that it may need. */
const windowFor = Effect.fnUntraced(function* (
  { amount, payTo, offer }: AcceptedOffer,
  block: Block,
  settings: SettingsShape
) {
  const needed = Math.max(WINDOW_SECONDS_MIN, offer.maxTimeoutSeconds ?? Number.POSITIVE_INFINITY)
  const seconds = Math.min(Duration.toSeconds(settings.authorizationWindow), needed)
  return { amount, payTo, ...(yield* windowFrom(block, seconds, settings)) } satisfies SignedWindow
})

/** A planned batch about which the server is asked for its price. */
interface Asking {
  /** As it was before. */
  readonly batch: Batch
  /** As it is in the ledger now. */
  readonly asking: Batch
}

/** Asks the mint server what a batch costs, and keeps in the ledger that it was asked. */
const makePrice = Effect.gen(function* () {
  const settings = yield* Settings
  const chain = yield* ChainClient
  const repo = yield* TaskRepo
  const save = (change: BatchSave) => Effect.flatMap(Clock.currentTimeMillis, (nowMs) => repo.saveBatch(change, nowMs))

  /**
   * Claims the request for the price of a planned batch: a server may carry out a request that only asks for the price,
   * so this is committed before it leaves, and no other executor asks meanwhile. Gives the batch as it is then in the
   * ledger.
   */
  const askFor = Effect.fn("Wallet.askFor")(function* (batch: Batch, task: Task, block: Block) {
    const after = ask(batch, block, answerByMs(settings, yield* Clock.currentTimeMillis))
    yield* save({ before: batch, after, onlyFor: task })
    return { ...after, version: batch.version + 1 }
  })

  /** The server's price, or why there is none. `undefined` where it is too late to ask. */
  const askPrice = Effect.fn("Wallet.askPrice")(function* ({ batch, asking, place }: Planned & Asking) {
    if (isTooLate(asking, settings, yield* Clock.currentTimeMillis)) return undefined
    return yield* Effect.result(place.quote(batch))
  })

  /** This request brought nothing to search or to wait for: the server asked for money, and gets none now. */
  const dismiss = ({ asking, batch }: Asking) =>
    asking.version === batch.version ? Effect.void : save({ before: asking, after: didNothing(asking, batch) })

  /**
   * Notes what the server may have done when it gave no price. From here on it may be asked again: what its order waits
   * for is written before.
   */
  const noteDone = Effect.fnUntraced(function* (asked: Asking, did: Did) {
    const { batch, asking } = asked
    if (did === "nothing" || asking.version === batch.version) return yield* dismiss(asked)
    const after = mayHaveDone(asking, yield* inSightAt(chain, settings), did === "claims")
    yield* save({ before: asking, after })
  })

  return { askFor, askPrice, dismiss, noteDone }
})

/** Why an order waits whose server may have minted unasked. */
const LOOKING = "mints that the mint server may have made without payment are looked for"

/** The block that has to count before all that happened until now is in sight. */
const inSightAt = (chain: ChainClient["Service"], { confirmations }: SettingsShape) =>
  Effect.map(chain.confirmedBlockNow, ({ number }) => number + BigInt(confirmations))

const makeLookBack = Effect.gen(function* () {
  const settings = yield* Settings
  const chain = yield* ChainClient
  const repo = yield* TaskRepo
  const { holdBatch, holdTask, pauseTask } = yield* Orders
  const { mintsUnpaid } = yield* Transfers

  /** A server that sells without asking for money is not asked for ever. With a retry it is asked as often again. */
  const holdUnbilled = Effect.fnUntraced(function* (batch: Batch) {
    yield* repo.saveBatch({ before: batch, after: { ...batch, claims: 0 } }, yield* Clock.currentTimeMillis)
    const what = `the mint server answered ${batch.claims} times as if it had minted, asked for no payment, and no mint came`
    yield* holdTask(batch.taskId, messages.held(`batch ${batch.number}: ${what}`))
  })

  /**
   * Searches what earlier requests without payment may have brought, before there is another one. Says whether
   * something was done instead of asking.
   */
  return Effect.fn("Wallet.lookBack")(function* (batch: Batch, task: Task, block: Block) {
    if (batch.asked === undefined) return false
    const { until } = batch.asked
    if (until === undefined) {
      const nowMs = yield* Clock.currentTimeMillis
      const change = { nextActionAtMs: nowMs + confirmMs(settings), ...noteOf(task, LOOKING) }
      const after = mayHaveDone(batch, yield* inSightAt(chain, settings), false)
      yield* repo.saveBatch({ before: batch, after, task: { expected: task, change } }, nowMs)
      return true
    }
    if (block.number < until) {
      yield* pauseTask(task, Number(until - block.number) * settings.network.blockSeconds * 1000, LOOKING)
      return true
    }
    const minted = yield* mintsUnpaid(batch)
    if (minted.length === 0 && batch.claims < CLAIMS_MAX) return false
    yield* minted.length > 0 ? holdBatch(batch, neverPaidFor(minted)) : holdUnbilled(batch)
    return true
  })
})
