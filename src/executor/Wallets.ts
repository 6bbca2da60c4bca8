import { Clock, Context, Duration, Effect, FiberSet, Layer, Ref } from "effect"
import { Settings } from "../config/Settings.ts"
import { words } from "../domain/time.ts"
import type { WalletId } from "../domain/Wallet.ts"
import * as Background from "../ops/background.ts"
import * as Log from "../ops/Log.ts"
import * as Metrics from "../ops/metrics.ts"
import * as Runners from "../ops/Runners.ts"
import { Ownership } from "../runners/Ownership.ts"
import { Agenda, type Begun, type Turn } from "./agenda.ts"
import { makeRequests, ServerRequests } from "./ServerRequests.ts"
import { makeGuarded } from "./trouble.ts"
import { makeTakeTurn } from "./turn.ts"

const AT_ONCE: Turn = { dueMs: 0, inTrouble: false }
const NOTHING_DUE: Turn = { dueMs: undefined, inTrouble: false }

/** The agenda of the wallets, carried out: a fiber for each turn, and one for each moment at which a wallet is due. */
const makeActors = Effect.fnUntraced(function* (turnOf: (begun: Begun) => Effect.Effect<Turn>) {
  const { confirmations } = yield* Settings
  const { owns } = yield* Ownership
  const outside = yield* Effect.context<never>()
  const agenda = new Agenda(confirmations)
  const turns = yield* FiberSet.make<void>()
  const timers = yield* FiberSet.make<void>()
  const isStopping = yield* Ref.make(false)

  const beginTurns: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(agenda.begin(), (begun) => FiberSet.run(turns, Background.reported("A turn", act(begun))), {
      discard: true
    })
  ).pipe(Effect.andThen(Effect.suspend(() => Metrics.actorsNow(agenda.size))))

  /** Every wallet that waits for this moment has its turn then. */
  const setTimer = Effect.fnUntraced(function* (tick: number | undefined) {
    if (tick === undefined) return
    const pauseMs = tick - (yield* Clock.currentTimeMillis)
    yield* Effect.sleep(pauseMs).pipe(
      Effect.andThen(Effect.sync(() => agenda.come(tick))),
      Effect.andThen(beginTurns),
      (timer) => Background.reported("A timer of wallets", timer),
      FiberSet.run(timers)
    )
  })

  const end = Effect.fnUntraced(function* (walletId: WalletId, turn: Turn) {
    const nowMs = yield* Clock.currentTimeMillis
    if (yield* Ref.get(isStopping)) return
    yield* setTimer(agenda.end(walletId, turn, nowMs))
    yield* beginTurns
  })

  // A wallet that waited for its turn while it got another owner begins nothing any more.
  const act = (begun: Begun) =>
    Effect.suspend(() => (owns(begun.walletId) ? turnOf(begun) : Effect.succeed(NOTHING_DUE))).pipe(
      Effect.flatMap((turn) => end(begun.walletId, turn)),
      Effect.annotateLogs("wallet", begun.walletId),
      Effect.provideContext(outside)
    )

  const note = Effect.fnUntraced(function* (walletId: WalletId, left: Turn) {
    if ((yield* Ref.get(isStopping)) || !owns(walletId)) return
    yield* setTimer(agenda.note(walletId, left, yield* Clock.currentTimeMillis))
    yield* beginTurns
  })
  const wake = (walletId: WalletId) => note(walletId, AT_ONCE)

  const newBlock = Effect.fnUntraced(function* (head: bigint) {
    if (yield* Ref.get(isStopping)) return
    agenda.newBlock(head)
    yield* beginTurns
  })

  return {
    wake,
    note,
    isTurning: (walletId: WalletId) => Effect.sync(() => agenda.isTurning(walletId)),
    newBlock,
    awaitsBlock: Effect.sync(() => agenda.awaitsBlock),
    /** Nothing new begins any more. */
    stop: Ref.set(isStopping, true),
    size: FiberSet.size(turns),
    ended: FiberSet.awaitEmpty(turns)
  }
})

/**
 * One fiber for each wallet that has its turn, and one for each request to the mint server. When the layer closes, nothing
 * new begins; turns that are under way, and requests that are on their way, get `DRAIN_TIMEOUT`. What is cut off after
 * that is looked after at the next start, as a payment is committed before it is sent.
 */
const make = Effect.gen(function* () {
  const { drainTimeout, mintConcurrency } = yield* Settings
  const { leave, owns } = yield* Ownership
  const guarded = yield* makeGuarded
  const onEnd = (walletId: WalletId, left: Turn): Effect.Effect<void> => actors.note(walletId, left)
  const onCall = (walletId: WalletId): Effect.Effect<void> =>
    owns(walletId) ? actors.wake(walletId) : requests.service.passOn(walletId)
  // The server has one limit, however many executors ask it.
  const max = Effect.map(Runners.count, (count) => Math.max(1, Math.floor(mintConcurrency / count)))
  const requests = yield* makeRequests({ onEnd, onCall, max })
  const takeTurn = yield* Effect.provideService(makeTakeTurn, ServerRequests, requests.service)
  const actors = yield* makeActors((begun) => timed(guarded(begun.walletId, takeTurn(begun))))

  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      yield* actors.stop
      // Before the wait for what is under way: it may be long, and the others can go on meanwhile.
      yield* leave
      if ((yield* actors.size) + (yield* requests.size) > 0) {
        const limit = words(Duration.toMillis(drainTimeout))
        yield* Log.startup(`⏳ Stopping: what is in the middle of a payment may finish, for at most ${limit}...`)
      }
      // A turn may begin a request, and no request a turn any more.
      const drained = Effect.andThen(actors.ended, requests.ended)
      yield* drained.pipe(Effect.interruptible, Effect.timeoutOption(drainTimeout))
    })
  )

  const { wake, newBlock, awaitsBlock } = actors
  return Wallets.of({
    wake,
    wakeDue: Effect.fnUntraced(function* (walletId) {
      if ((yield* requests.isIdle(walletId)) || (yield* actors.isTurning(walletId))) return
      yield* wake(walletId)
    }),
    newBlock,
    awaitsBlock
  })
})

/**
 * The actors of the agent wallets: serial for each wallet, parallel across. A wake-up carries no truth: the actor reads
 * the ledger. A lost one costs a tick of the mint loop, a doubled one finds nothing to do.
 */
export class Wallets extends Context.Service<
  Wallets,
  {
    readonly wake: (walletId: WalletId) => Effect.Effect<void>
    /**
     * The same, but not for a wallet that is in line to ask the mint server and has nothing else to do by now, nor for one
     * that has its turn: what that leaves due, the next tick finds.
     */
    readonly wakeDue: (walletId: WalletId) => Effect.Effect<void>
    /** The chain has a new block, of this number: those wallets have their turn for which it may bring something. */
    readonly newBlock: (head: bigint) => Effect.Effect<void>
    /** Whether a block may bring something for any wallet. */
    readonly awaitsBlock: Effect.Effect<boolean>
  }
>()("ai-mint-executor/executor/Wallets") {
  static readonly layer = Layer.effect(Wallets, make)
}

const timed = <A, E, R>(turn: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Effect.timed(turn), ([took, left]) => Effect.as(Metrics.turnEnded(Duration.toMillis(took)), left))
