import { Clock, Deferred, Duration, Effect, FiberSet, Layer, Queue, Semaphore } from "effect"
import { Settings } from "../config/Settings.ts"
import { words } from "../domain/time.ts"
import type { WalletId } from "../domain/Wallet.ts"
import * as Log from "../ops/Log.ts"
import * as Metrics from "../ops/metrics.ts"
import * as CodeWatch from "./codeWatch.ts"
import { Outage } from "./Outage.ts"
import { makeRequests } from "./requests.ts"
import { ServerRequests, type WalletServices } from "./ServerRequests.ts"
import { ENDED, guarded, pauseUntil, type Turn } from "./trouble.ts"
import { takeTurn } from "./turn.ts"
import { Wallets } from "./Wallets.ts"

/** Wallets that take a turn at the same moment. With real block times this is what buys speed; the rest waits. */
const TURNS_AT_ONCE = 16

/** Actors alive at the same moment, most of them waiting. A wallet beyond that is woken by a later tick. */
const ACTORS_MAX = 1_000

/** An actor whose next work is further away ends; the mint loop wakes the wallet when the time has come. */
const LINGER_MS = 60_000

/** Until when a wallet leaves everything alone: after trouble, or where a request changed nothing. It outlives its actor. */
interface Rest {
  untilMs: number
}

const prolong = (rest: Rest, untilMs: number): void => void (rest.untilMs = Math.max(rest.untilMs, untilMs))

const restOf = (rests: Map<WalletId, Rest>, walletId: WalletId): Rest => {
  const rest = rests.get(walletId) ?? { untilMs: 0 }
  rests.set(walletId, rest)
  return rest
}

/** No rest is longer, even where the clock was set back meanwhile. */
const REST_MS_MAX = 60_000

interface Actor {
  readonly mailbox: Queue.Queue<void>
  readonly rest: Rest
  /** Done once nothing new may begin. */
  readonly stopping: Deferred.Deferred<void>
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
    const rests = new Map<WalletId, Rest>()
    const fibers = yield* FiberSet.make<void>()
    const turns = yield* Semaphore.make(TURNS_AT_ONCE)
    const stopping = yield* Deferred.make<void>()

    const requests = yield* makeRequests(outside, (walletId, restUntilMs): Effect.Effect<void> => {
      prolong(restOf(rests, walletId), restUntilMs)
      return wake(walletId)
    })

    // Who waited for its turn while the others were told to stop begins nothing any more.
    const turnOf = (walletId: WalletId) =>
      turns.withPermit(
        Effect.flatMap(Deferred.isDone(stopping), (isStopping) =>
          isStopping ? Effect.succeed(ENDED) : timed(guarded(walletId, takeTurn(walletId)))
        )
      )

    const start = Effect.fnUntraced(function* (walletId: WalletId) {
      const actor: Actor = { mailbox: yield* Queue.sliding<void>(1), rest: restOf(rests, walletId), stopping }
      actors.set(walletId, actor)
      const ended = Effect.suspend(() => {
        actors.delete(walletId)
        if (actor.rest.untilMs === 0) rests.delete(walletId)
        return Metrics.actorsNow(actors.size)
      })
      yield* live(actor, turnOf(walletId)).pipe(
        Effect.ensuring(ended),
        Effect.annotateLogs("wallet", walletId),
        Effect.provideService(ServerRequests, requests.service),
        Effect.provideContext(outside),
        FiberSet.run(fibers)
      )
      yield* Metrics.actorsNow(actors.size)
    })

    const wake = Effect.fnUntraced(function* (walletId: WalletId) {
      const actor = actors.get(walletId)
      if (actor !== undefined) return void (yield* Queue.offer(actor.mailbox, undefined))
      if (actors.size < ACTORS_MAX && !(yield* Deferred.isDone(stopping))) yield* start(walletId)
    })

    yield* Effect.addFinalizer(() =>
      Effect.gen(function* () {
        yield* Deferred.succeed(stopping, undefined)
        if (actors.size + (yield* requests.size) > 0) {
          const limit = words(Duration.toMillis(drainTimeout))
          yield* Log.startup(`⏳ Stopping: what is in the middle of a payment may finish, for at most ${limit}...`)
        }
        // A turn may begin a request, and no request a turn any more.
        const drained = Effect.andThen(FiberSet.awaitEmpty(fibers), requests.ended)
        yield* drained.pipe(Effect.interruptible, Effect.timeoutOption(drainTimeout))
      })
    )

    return Wallets.of({ wake })
  })
)

/** One turn after the other, for as long as there is something to do before long. */
const live = Effect.fnUntraced(function* <R>(actor: Actor, turn: Effect.Effect<Turn, never, R>) {
  while (!(yield* Deferred.isDone(actor.stopping))) {
    // The mint loop wakes whoever is due: a pause after trouble would be none if that ended it.
    const restMs = Math.min(pauseUntil(actor.rest.untilMs, yield* Clock.currentTimeMillis), REST_MS_MAX)
    actor.rest.untilMs = 0
    if (restMs > 0) yield* rest(actor, restMs, false)
    const { dueMs, inTrouble } = yield* turn
    if (inTrouble) prolong(actor.rest, dueMs ?? 0)
    const pauseMs = pauseUntil(dueMs, yield* Clock.currentTimeMillis)
    const wasWoken = (yield* Queue.size(actor.mailbox)) > 0
    if (pauseMs > LINGER_MS && !wasWoken) return
    if (pauseMs > 0 && !inTrouble) yield* rest(actor, pauseMs, true)
  }
})

const rest = ({ mailbox, stopping }: Actor, ms: number, wakesUp: boolean) =>
  Effect.raceAllFirst([Effect.sleep(ms), wakesUp ? Queue.take(mailbox) : Effect.never, Deferred.await(stopping)])

const timed = <A, E, R>(turn: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Effect.timed(turn), ([took, left]) => Effect.as(Metrics.turnEnded(Duration.toMillis(took)), left))

export const layer = layerNoDeps.pipe(Layer.provide(Outage.layer), Layer.provideMerge(CodeWatch.layer))
