import {
  Clock,
  Context,
  Deferred,
  Duration,
  Effect,
  FiberMap,
  HashMap,
  Layer,
  Option,
  Queue,
  Ref,
  Semaphore
} from "effect"
import { Settings } from "../config/Settings.ts"
import { words } from "../domain/time.ts"
import type { WalletId } from "../domain/Wallet.ts"
import * as Log from "../ops/Log.ts"
import * as Metrics from "../ops/metrics.ts"
import { Ownership } from "../runners/Ownership.ts"
import { makeRequests, ServerRequests } from "./ServerRequests.ts"
import { ENDED, makeGuarded, pauseUntil, type Turn } from "./trouble.ts"
import { makeTakeTurn } from "./turn.ts"

/** Wallets that take a turn at the same moment. With real block times this is what buys speed; the rest waits. */
const TURNS_AT_ONCE = 16

/** Actors alive at the same moment, most of them waiting. A wallet beyond that is woken by a later tick. */
const ACTORS_MAX = 1_000

/** An actor whose next work is further away ends; the mint loop wakes the wallet when the time has come. */
const LINGER_MS = 60_000

/** No rest is longer, even where the clock was set back meanwhile. */
const REST_MS_MAX = 60_000

/**
 * Until when a wallet leaves everything alone: after trouble, or where a request changed nothing. A rest outlives the
 * actor, and is taken once.
 */
const makeRests = Effect.gen(function* () {
  const rests = yield* Ref.make(HashMap.empty<WalletId, number>())
  return {
    prolong: (walletId: WalletId, untilMs: number) =>
      Ref.update(rests, (all) =>
        HashMap.set(all, walletId, Math.max(untilMs, ...Option.toArray(HashMap.get(all, walletId))))
      ),
    take: (walletId: WalletId) =>
      Ref.modify(rests, (all) => [Option.getOrElse(HashMap.get(all, walletId), () => 0), HashMap.remove(all, walletId)])
  }
})

/** A mailbox holds at most one wake-up: it carries no truth, and a second one says nothing more. */
type Mailbox = Queue.Queue<void>

interface Actor {
  readonly walletId: WalletId
  readonly mailbox: Mailbox
  readonly rests: Effect.Success<typeof makeRests>
  /** Done once nothing new may begin. */
  readonly stopping: Deferred.Deferred<void>
  /** Whether the wallet is still this process's to work for, and that goes on. */
  readonly mayBegin: Effect.Effect<boolean>
}

/**
 * One fiber for each wallet with work, with its mailbox, and one for each request to the mint server. When the layer
 * closes, actors that wait end at once; those in the middle of a turn, and requests that are on their way, get
 * `DRAIN_TIMEOUT`. What is cut off after that is looked after at the next start, as a payment is committed before it is
 * sent.
 */
const make = Effect.gen(function* () {
  const { drainTimeout } = yield* Settings
  const { owns, leave } = yield* Ownership
  const outside = yield* Effect.context<never>()
  const actors = yield* FiberMap.make<WalletId, void, never>()
  const mailboxes = yield* Ref.make(HashMap.empty<WalletId, Mailbox>())
  const rests = yield* makeRests
  const turns = yield* Semaphore.make(TURNS_AT_ONCE)
  const stopping = yield* Deferred.make<void>()

  const requests = yield* makeRequests((walletId, restUntilMs): Effect.Effect<void> =>
    Effect.andThen(restUntilMs > 0 ? rests.prolong(walletId, restUntilMs) : Effect.void, wake(walletId))
  )
  const guarded = yield* makeGuarded
  const takeTurn = yield* Effect.provideService(makeTakeTurn, ServerRequests, requests.service)

  const mayBegin = (walletId: WalletId) =>
    Effect.map(Deferred.isDone(stopping), (isStopping) => !isStopping && owns(walletId))

  // An actor that waited for its turn while the others were stopped, or its wallet got another owner, begins nothing any more.
  const turnOf = (walletId: WalletId) =>
    turns.withPermit(
      Effect.flatMap(mayBegin(walletId), (may) =>
        may ? timed(guarded(walletId, takeTurn(walletId))) : Effect.succeed(ENDED)
      )
    )

  const start = (walletId: WalletId, mailbox: Mailbox) =>
    live({ walletId, mailbox, rests, stopping, mayBegin: mayBegin(walletId) }, turnOf(walletId)).pipe(
      Effect.ensuring(Ref.update(mailboxes, HashMap.remove(walletId))),
      Effect.ensuring(countActors),
      Effect.annotateLogs("wallet", walletId),
      Effect.provideContext(outside),
      FiberMap.run(actors, walletId),
      Effect.andThen(countActors)
    )
  const countActors = Effect.flatMap(Ref.get(mailboxes), (all) => Metrics.actorsNow(HashMap.size(all)))

  const wake = Effect.fnUntraced(function* (walletId: WalletId) {
    if (!(yield* mayBegin(walletId))) return
    const mailbox = yield* Queue.sliding<void>(1)
    // Where two wake a wallet at once, one of them starts its actor.
    const known = yield* Ref.modify(mailboxes, (all) => {
      const before = Option.getOrUndefined(HashMap.get(all, walletId))
      if (before !== undefined || HashMap.size(all) >= ACTORS_MAX) return [before, all]
      return [mailbox, HashMap.set(all, walletId, mailbox)]
    })
    if (known === mailbox) yield* start(walletId, mailbox)
    else if (known !== undefined) yield* Queue.offer(known, undefined)
  })

  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      yield* Deferred.succeed(stopping, undefined)
      // Before the wait for what is under way: it may be long, and the others can go on meanwhile.
      yield* leave
      if ((yield* FiberMap.size(actors)) + (yield* requests.size) > 0) {
        const limit = words(Duration.toMillis(drainTimeout))
        yield* Log.startup(`⏳ Stopping: what is in the middle of a payment may finish, for at most ${limit}...`)
      }
      // A turn may begin a request, and no request a turn any more.
      const drained = Effect.andThen(FiberMap.awaitEmpty(actors), requests.ended)
      yield* drained.pipe(Effect.interruptible, Effect.timeoutOption(drainTimeout))
    })
  )

  return Wallets.of({ wake })
})

/**
 * The actors of the agent wallets: one for each wallet that has something to do, serial inside, parallel across.
 * A wake-up carries no truth: the actor reads the ledger. A lost one costs a tick of the mint loop, a doubled one
 * finds nothing to do. Shaped as a message to an entity, so that one machine can become several.
 */
export class Wallets extends Context.Service<
  Wallets,
  {
    readonly wake: (walletId: WalletId) => Effect.Effect<void>
  }
>()("ai-mint-executor/executor/Wallets") {
  static readonly layer = Layer.effect(Wallets, make)
}

/** One turn after the other, for as long as there is something to do before long. */
const live = Effect.fnUntraced(function* <R>(actor: Actor, turn: Effect.Effect<Turn, never, R>) {
  const { walletId, mailbox, rests, mayBegin } = actor
  while (yield* mayBegin) {
    // The mint loop wakes every wallet that is due: a rest after trouble would be none if that ended it.
    const untilMs = yield* rests.take(walletId)
    const restMs = Math.min(pauseUntil(untilMs, yield* Clock.currentTimeMillis), REST_MS_MAX)
    if (restMs > 0) yield* pause(actor, restMs, false)
    const { dueMs, inTrouble } = yield* turn
    if (inTrouble) yield* rests.prolong(walletId, dueMs ?? 0)
    const pauseMs = pauseUntil(dueMs, yield* Clock.currentTimeMillis)
    const wasWoken = (yield* Queue.size(mailbox)) > 0
    if (pauseMs > LINGER_MS && !wasWoken) return
    if (pauseMs > 0 && !inTrouble) yield* pause(actor, pauseMs, true)
  }
})

const pause = ({ mailbox, stopping }: Actor, ms: number, wakesUp: boolean) =>
  Effect.raceAllFirst([Effect.sleep(ms), wakesUp ? Queue.take(mailbox) : Effect.never, Deferred.await(stopping)])

const timed = <A, E, R>(turn: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Effect.timed(turn), ([took, left]) => Effect.as(Metrics.turnEnded(Duration.toMillis(took)), left))
