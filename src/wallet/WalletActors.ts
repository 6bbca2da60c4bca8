import { Clock, Deferred, Duration, Effect, FiberSet, Layer, Queue, Semaphore } from "effect"
import { Settings } from "../config/Settings.ts"
import { words } from "../domain/time.ts"
import type { WalletId } from "../domain/Wallet.ts"
import * as Log from "../ops/Log.ts"
import * as Metrics from "../ops/metrics.ts"
import * as CodeWatch from "./codeWatch.ts"
import { Outage } from "./Outage.ts"
import { OUTRUN_PAUSE_MS } from "./pace.ts"
import { ServerRequests, type WalletServices } from "./ServerRequests.ts"
import { ENDED, guarded, pauseUntil } from "./trouble.ts"
import { takeTurn } from "./turn.ts"
import { Wallets } from "./Wallets.ts"

/** Wallets that take a turn at the same moment. With real block times this is what buys speed; the rest waits. */
const TURNS_AT_ONCE = 16

/** Actors alive at the same moment, most of them waiting. A wallet beyond that is woken by a later tick. */
const ACTORS_MAX = 1_000

/** An actor whose next work is further away ends; the mint loop wakes the wallet when the time has come. */
const LINGER_MS = 60_000

interface Actor {
  readonly mailbox: Queue.Queue<void>
  /** Until when it leaves everything alone: after trouble, or where a request changed nothing. */
  restUntilMs: number
}

/**
 * One fiber for each wallet with work, with a mailbox that holds at most one wake-up, and one for each request to the
 * mint server. When the layer closes, actors that wait end at once; those in the middle of a turn, and requests that are
 * on their way, get `DRAIN_TIMEOUT`. What is cut off after that is looked after at the next start, as a payment is
 * committed before it is sent.
 */
export const layerNoDeps = Layer.effect(
  Wallets,
  Effect.gen(function* () {
    const { drainTimeout } = yield* Settings
    const outside = yield* Effect.context<Exclude<WalletServices, ServerRequests>>()
    const actors = new Map<WalletId, Actor>()
    const fibers = yield* FiberSet.make<void>()
    const requests = yield* FiberSet.make<void>()
    const turns = yield* Semaphore.make(TURNS_AT_ONCE)
    const stopping = yield* Deferred.make<void>()

    const run = <E>(
      fibersOf: FiberSet.FiberSet<void, E>,
      walletId: WalletId,
      work: Effect.Effect<void, E, WalletServices>
    ) =>
      work.pipe(
        Effect.annotateLogs("wallet", walletId),
        Effect.provideService(ServerRequests, serverRequests),
        Effect.provideContext(outside),
        FiberSet.run(fibersOf)
      )

    const serverRequests = ServerRequests.of({
      start: (walletId, request) =>
        guarded(walletId, Effect.flatMap(request, afterRequest)).pipe(
          Effect.flatMap(({ dueMs = 0 }) => {
            const actor = actors.get(walletId)
            if (actor !== undefined) actor.restUntilMs = Math.max(actor.restUntilMs, dueMs)
            return wake(walletId)
          }),
          (work) => Effect.asVoid(run(requests, walletId, work))
        )
    })

    const rest = ({ mailbox }: Actor, ms: number, wakesUp: boolean) =>
      Effect.raceAllFirst([Effect.sleep(ms), wakesUp ? Queue.take(mailbox) : Effect.never, Deferred.await(stopping)])

    // Who waited for its turn while the others were told to stop begins nothing any more.
    const turnOf = (walletId: WalletId) =>
      turns.withPermit(
        Effect.flatMap(Deferred.isDone(stopping), (isStopping) =>
          isStopping ? Effect.succeed(ENDED) : timed(guarded(walletId, takeTurn(walletId)))
        )
      )

    const live = Effect.fnUntraced(function* (walletId: WalletId, actor: Actor) {
      while (!(yield* Deferred.isDone(stopping))) {
        // The mint loop wakes whoever is due: a pause after trouble would be none if that ended it.
        const troubleMs = pauseUntil(actor.restUntilMs, yield* Clock.currentTimeMillis)
        if (troubleMs > 0) yield* rest(actor, troubleMs, false)
        const { dueMs, inTrouble } = yield* turnOf(walletId)
        if (inTrouble) actor.restUntilMs = dueMs ?? 0
        const pauseMs = pauseUntil(dueMs, yield* Clock.currentTimeMillis)
        const wasWoken = (yield* Queue.size(actor.mailbox)) > 0
        if (pauseMs > LINGER_MS && !wasWoken) return
        if (pauseMs > 0 && !inTrouble) yield* rest(actor, pauseMs, true)
      }
    })

    const start = Effect.fnUntraced(function* (walletId: WalletId) {
      const actor: Actor = { mailbox: yield* Queue.sliding<void>(1), restUntilMs: 0 }
      actors.set(walletId, actor)
      const ended = Effect.suspend(() => {
        actors.delete(walletId)
        return Metrics.actorsNow(actors.size)
      })
      yield* run(fibers, walletId, Effect.ensuring(live(walletId, actor), ended))
      yield* Metrics.actorsNow(actors.size)
    })

    const wake = Effect.fnUntraced(function* (walletId: WalletId) {
      const actor = actors.get(walletId)
      if (actor !== undefined) return void (yield* Queue.offer(actor.mailbox, undefined))
      if (actors.size < ACTORS_MAX && !(yield* Deferred.isDone(stopping))) yield* start(walletId)
    })

    const drained = Effect.andThen(FiberSet.awaitEmpty(fibers), FiberSet.awaitEmpty(requests)).pipe(
      Effect.interruptible,
      Effect.timeoutOption(drainTimeout)
    )

    yield* Effect.addFinalizer(() =>
      Effect.gen(function* () {
        yield* Deferred.succeed(stopping, undefined)
        if (actors.size + (yield* FiberSet.size(requests)) > 0) {
          const limit = words(Duration.toMillis(drainTimeout))
          yield* Log.startup(`⏳ Stopping: what is in the middle of a payment may finish, for at most ${limit}...`)
        }
        yield* drained
      })
    )

    return Wallets.of({ wake })
  })
)

/** Another program was first, or the answer came too late: what there is to do is looked at in a moment. */
const afterRequest = (changed: boolean) =>
  changed ? Effect.undefined : Effect.map(Clock.currentTimeMillis, (nowMs) => nowMs + OUTRUN_PAUSE_MS)

const timed = <A, E, R>(turn: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Effect.timed(turn), ([took, left]) => Effect.as(Metrics.turnEnded(Duration.toMillis(took)), left))

export const layer = layerNoDeps.pipe(Layer.provide(Outage.layer), Layer.provideMerge(CodeWatch.layer))
