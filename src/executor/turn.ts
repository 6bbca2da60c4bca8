import { Clock, Effect } from "effect"
import { ChainClient, type ChainError } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import type { Address } from "../domain/Address.ts"
import { type Batch, isInFlight } from "../domain/Batch.ts"
import { awaitsBlock, isEarly } from "../domain/transferPace.ts"
import { isMove, type NextStep, stepsOf, waitingFor, type WalletSteps } from "../domain/NextStep.ts"
import { messages, type Task } from "../domain/Task.ts"
import { sum, zero } from "../domain/Usdc.ts"
import { alone } from "../ops/eachAlone.ts"
import { isOutdated, type OpenWork, type WalletWork, withWallet } from "../domain/WalletState.ts"
import { type LedgerError, type Outrun, TaskRepo, wasFirst } from "../ledger/TaskRepo.ts"
import type { Begun } from "./agenda.ts"
import { all, type Left, leftOf, unknown } from "./left.ts"
import { Orders, unlessLocked } from "./Orders.ts"
import { LOCKED_PAUSE_MS, OUTRUN_PAUSE_MS } from "./pace.ts"
import { makePay } from "./pay.ts"
import { makePlan } from "./plan.ts"
import { makeMoveRefund } from "./refund.ts"
import { ServerRequests } from "./ServerRequests.ts"
import { type Followed, makeSettle } from "./settle.ts"

/** How soon to look again where the node is behind what was proven before. */
const LAGGING_PAUSE_MS = 5_000

/** What a wallet does when it has its turn. */
export const makeTakeTurn = Effect.gen(function* () {
  const requests = yield* ServerRequests
  const step = yield* makeStep

  /**
   * One thing done for a wallet. Gives the time at which there is something to do again, or `undefined` where there is
   * nothing, or nothing until the wallet is woken. A place that was kept for it and that it does not need is another's.
   */
  return Effect.fn("Wallet.takeTurn")(function* (begun: Begun) {
    const { walletId } = begun
    const nowMs = yield* Clock.currentTimeMillis
    const isCalled = yield* requests.isCalled(walletId)
    const passOn = isCalled ? requests.passOn(walletId) : Effect.void
    return yield* step(begun, { nowMs, isCalled }).pipe(
      Effect.tap(({ dueMs }) => (dueMs !== undefined && dueMs <= nowMs ? Effect.void : passOn)),
      Effect.tapCause(() => passOn)
    )
  })
})

type Move = WalletSteps["moves"][number]["step"]

interface StepTime {
  readonly nowMs: number
  /** A place to ask the mint server is kept for the wallet. */
  readonly isCalled: boolean
}

const makeNoteWaits = Effect.map(Orders, ({ noteWaiting, waitForLimit }) =>
  /** Writes into the rows of orders that this turn passes over why it does. */
  Effect.fnUntraced(function* ({ orders }: WalletSteps) {
    for (const { task, step, isOurs } of orders) {
      const note = isOurs ? noteOf(task, step) : undefined
      if (note !== undefined) yield* alone(task.id, note, () => Effect.void)
    }

    function noteOf(task: Task, step: NextStep) {
      if (step._tag === "Wait" && step.why._tag === "Limit") return waitForLimit(task, step.why.reached)
      const why = waitingFor(step)
      return why === undefined ? undefined : noteWaiting(task, why)
    }
  })
)

const makeStep = Effect.gen(function* () {
  const { maxRetryCount } = yield* Settings
  const repo = yield* TaskRepo
  const requests = yield* ServerRequests
  const { holdTask, pauseUnwritable } = yield* Orders
  const noteWaits = yield* makeNoteWaits
  const carryOut = yield* makeCarryOut
  const payBatch = yield* makePay
  const moveRefund = yield* makeMoveRefund
  const settleBatches = yield* makeSettle

  /**
   * Does one step of an order. Gives what is left of it, where that is known; or that it was not done: another program was
   * first, or its wallet is in line to ask the mint server.
   */
  const move = (open: OpenWork, task: Task, step: Move) => {
    const done = <R>(work: Effect.Effect<Left | undefined, ChainError | LedgerError | Outrun, R>) =>
      alone(task.id, work, (error) => unknown(pauseUnwritable(task)(error))).pipe(
        Effect.map((left) => ({ left })),
        Effect.catchTag("Outrun", () => Effect.succeed("Outrun" as const))
      )
    if (step._tag !== "Pay") return done(unknown(carryOut(open, task, step)))
    return requests.withPlace(task.walletId, (place) => done(payBatch(open, task, step.batch, place)))
  }

  /**
   * First what its payments in flight need, then one step of its oldest task that may move. After a new block payments
   * are looked at that are not due yet.
   */
  return Effect.fnUntraced(function* ({ walletId, isForBlock }: Begun, { nowMs, isCalled }: StepTime) {
    const work = yield* repo.walletWork(walletId)
    const steps = stepsOf(work, { nowMs, maxRetryCount })
    for (const { taskId, reason } of work.bad) yield* holdTask(taskId, reason)
    yield* noteWaits(steps)
    const due = steps.inFlight.length > 0
    const looked = isForBlock ? work.batches.filter((batch) => isInFlight(batch) && awaitsBlock(batch)) : []
    const inFlight = [...steps.inFlight, ...looked.filter((batch) => isEarly(batch, nowMs))]
    const followed = yield* settleBatches(work, inFlight, { isForBlock })
    if (due || followed.some(({ isChanged }) => isChanged)) return afterFollowing(work, steps, followed, nowMs)
    if (steps.refund !== undefined) return nextTurn(nowMs, yield* wasFirst(moveRefund(work, steps.refund)))
    const open = withWallet(work)
    if (open === undefined) return later(steps.nextMs, work)
    const outrun = new Set<Address>()
    let inLine = 0
    for (const { task, step } of steps.moves) {
      if (outrun.has(task.token)) continue
      const done = yield* unlessLocked(move(open, task, step))
      if (done === "Outrun") outrun.add(task.token)
      else if (done === "InLine") inLine++
      else if (done !== undefined) return afterMove(work, steps, done.left, nowMs)
    }
    if (outrun.size > 0) return nextTurn(nowMs, false)
    if (steps.moves.length > inLine) return { dueMs: nowMs + LOCKED_PAUSE_MS }
    // The place may be for a payment that is to be sent again.
    const again = isCalled && inLine === 0 ? work.batches.filter(isInFlight) : []
    if (inLine > 0) yield* requests.waitUntil(walletId, steps.laterMs ?? Number.POSITIVE_INFINITY)
    if (again.length === 0) return later(inLine > 0 ? steps.laterMs : steps.nextMs, work)
    const sent = yield* settleBatches(work, again)
    yield* requests.passOn(walletId)
    return afterFollowing(work, steps, sent, nowMs)
  })
})

const nextTurn = (nowMs: number, changed: boolean): Left => ({ dueMs: changed ? nowMs : nowMs + OUTRUN_PAUSE_MS })

const later = (dueMs: number | undefined, { batches }: WalletWork): Left => ({ ...leftOf(...batches), dueMs })

/** What is left after a step of an order. Where that is not known, or another one is due, the next turn is at once. */
const afterMove = (work: WalletWork, { moves, laterMs }: WalletSteps, left: Left | undefined, nowMs: number): Left =>
  left === undefined || moves.length > 1 ? { dueMs: nowMs } : all([left, later(laterMs, work)])

/** The same after payments were followed. What waited for them, or for the end of these looks, may move now. */
const afterFollowing = (
  work: WalletWork,
  { moves, orders }: WalletSteps,
  followed: ReadonlyArray<Followed>,
  nowMs: number
): Left => {
  if (!followed.some(({ isChanged }) => isChanged)) return nextTurn(nowMs, false)
  const mayMove = moves.length > 0 || work.refunds.length > 0 || orders.some(({ step }) => step._tag === "Wait")
  if (mayMove || followed.some(({ left }) => left === undefined)) return { dueMs: nowMs }
  const others = work.batches.filter((batch) => !followed.some((one) => one.batch === batch))
  const later = orders.flatMap(({ step }) => (isMove(step) ? [{ dueMs: step.atMs }] : []))
  return all([leftOf(...others), ...later, ...followed.flatMap(({ left }) => left ?? [])])
}

const makeCarryOut = Effect.gen(function* () {
  const chain = yield* ChainClient
  const { completeTask, failTask, holdOrder, pauseTask, saveTask } = yield* Orders
  const planTask = yield* makePlan

  /** Refused too often. Where that was for want of money, which is no fault of the order, a person has to find it. */
  const giveUp = Effect.fnUntraced(function* (work: OpenWork, task: Task, batches: ReadonlyArray<Batch>) {
    const unpaid = sum(batches.filter((batch) => batch.status === "planned").map((batch) => batch.amount))
    const { block, usdc } = yield* chain.readBalances([work.wallet.agentAddress])
    // A balance from before the wallet's last proven payment tells neither.
    if (isOutdated(block, work)) {
      return yield* pauseTask(task, LAGGING_PAUSE_MS, "the node is behind the wallet's last payment")
    }
    const balance = usdc.get(work.wallet.agentAddress) ?? zero
    if (balance >= unpaid) return yield* failTask(task, task.retryCount, task.lastRefusal ?? "refused")
    yield* saveTask(task, { retryCount: 0 })
    return yield* holdOrder(task, messages.held(messages.shortOfMoney(unpaid, balance)))
  })

  /** All is delivered. Where the count of the order says otherwise, another program has changed it. */
  const finish = (task: Task) => {
    const counted = `mints_completed is ${task.mintsCompleted}, quantity is ${task.quantity}`
    const held = holdOrder(task, messages.held(`every batch is delivered, but ${counted}`))
    return Effect.catchTag(completeTask(task), "Outrun", () => held)
  }

  return (work: OpenWork, task: Task, step: Exclude<Move, { readonly _tag: "Pay" }>) => {
    switch (step._tag) {
      case "Plan":
      case "TakeOver":
        return planTask(work, task, step.batches)
      case "GiveUp":
        return giveUp(work, task, step.batches)
      case "Finish":
        return finish(task)
      case "Hold":
        return holdOrder(task, step.reason)
    }
  }
})
