import { Cause, Clock, Deferred, Duration, Effect, FiberSet, Layer, Queue, Semaphore } from "effect"
import type { ChainClient } from "../chain/ChainClient.ts"
import type { KeyCustody } from "../chain/KeyCustody.ts"
import { Settings } from "../config/Settings.ts"
import { words } from "../domain/time.ts"
import type { WalletId } from "../domain/Wallet.ts"
import type { Minter } from "../mint/Minter.ts"
import * as Incidents from "../ops/Incidents.ts"
import * as Log from "../ops/Log.ts"
import * as Metrics from "../ops/metrics.ts"
import type { LedgerError, TaskRepo } from "../task/TaskRepo.ts"
import * as CodeWatch from "./codeWatch.ts"
import { Outage } from "./Outage.ts"
import { noteTrouble, takeTurn } from "./turn.ts"
import type { UsdcCode } from "./UsdcCode.ts"
import { Wallets } from "./Wallets.ts"

/** Wallets that take a turn at the same moment. With real block times this is what buys speed; the rest waits. */
const TURNS_AT_ONCE = 16

/** Actors alive at the same moment, most of them waiting. A wallet beyond that is woken by a later tick. */
const ACTORS_MAX = 1_000

/** An actor whose next work is further away ends; the mint loop wakes the wallet when the time has come. */
const LINGER_MS = 60_000

/** A wallet whose turn ended in a defect is left alone for so long: nothing is sent before the chain was read again. */
const PARKED_MS = 60_000

/** How soon a wallet tries again to get rows that another program holds. */
const CONTENDED_MS = 5_000

type Mailbox = Queue.Queue<void>

type Services = ChainClient | KeyCustody | Minter | Outage | Settings | TaskRepo | UsdcCode

/**
 * One fiber for each wallet with work, with a mailbox that holds at most one wake-up. When the layer closes, actors
 * that wait end at once and those in the middle of a turn get `DRAIN_TIMEOUT` to finish it; what is cut off after that
 * is looked after at the next start, as a payment is committed before it is sent.
 */
export const layerNoDeps = Layer.effect(
  Wallets,
  Effect.gen(function* () {
    const { drainTimeout } = yield* Settings
    const services = yield* Effect.context<Services>()
    const actors = yield* FiberSet.make<void>()
    const mailboxes = new Map<WalletId, Mailbox>()
    const turns = yield* Semaphore.make(TURNS_AT_ONCE)
    const stopping = yield* Deferred.make<void>()

    // The mint loop wakes whoever is due: a pause after trouble would be none if that ended it.
    const rest = (mailbox: Mailbox, ms: number, wakesUp: boolean) =>
      Effect.raceAllFirst([Effect.sleep(ms), wakesUp ? Queue.take(mailbox) : Effect.never, Deferred.await(stopping)])

    // Who waited for its turn while the others were told to stop begins nothing any more.
    const turnOf = (walletId: WalletId) =>
      turns.withPermit(
        Effect.flatMap(Deferred.isDone(stopping), (isStopping) =>
          isStopping ? Effect.succeed(ENDED) : timed(guardedTurn(walletId))
        )
      )

    const live = Effect.fnUntraced(function* (walletId: WalletId, mailbox: Mailbox) {
      while (!(yield* Deferred.isDone(stopping))) {
        const { dueMs, inTrouble } = yield* turnOf(walletId)
        const pauseMs = pauseUntil(dueMs, yield* Clock.currentTimeMillis)
        const wasWoken = (yield* Queue.size(mailbox)) > 0
        if (pauseMs > LINGER_MS && !wasWoken) return
        if (pauseMs > 0) yield* rest(mailbox, pauseMs, !inTrouble)
      }
    })

    const start = Effect.fnUntraced(function* (walletId: WalletId) {
      const mailbox = yield* Queue.sliding<void>(1)
      mailboxes.set(walletId, mailbox)
      yield* FiberSet.run(
        actors,
        live(walletId, mailbox).pipe(
          Effect.ensuring(
            Effect.suspend(() => {
              mailboxes.delete(walletId)
              return Metrics.actorsNow(mailboxes.size)
            })
          ),
          Effect.annotateLogs("wallet", walletId),
          Effect.provideContext(services)
        )
      )
      yield* Metrics.actorsNow(mailboxes.size)
    })

    const drained = FiberSet.awaitEmpty(actors).pipe(Effect.interruptible, Effect.timeoutOption(drainTimeout))

    yield* Effect.addFinalizer(() =>
      Effect.gen(function* () {
        yield* Deferred.succeed(stopping, undefined)
        if (mailboxes.size > 0) {
          const limit = words(Duration.toMillis(drainTimeout))
          yield* Log.startup(`⏳ Stopping: what is in the middle of a payment may finish, for at most ${limit}...`)
        }
        yield* drained
      })
    )

    return Wallets.of({
      wake: Effect.fnUntraced(function* (walletId) {
        const mailbox = mailboxes.get(walletId)
        if (mailbox !== undefined) return void (yield* Queue.offer(mailbox, undefined))
        if (mailboxes.size < ACTORS_MAX && !(yield* Deferred.isDone(stopping))) yield* start(walletId)
      })
    })
  })
)

/** What a turn leaves: when there is something to do again, and whether it ended in trouble. */
interface Turn {
  readonly dueMs: number | undefined
  readonly inTrouble: boolean
}

const ENDED: Turn = { dueMs: undefined, inTrouble: false }

/** Whole milliseconds: what is left of one may be too short for a timer to pass. */
const pauseUntil = (dueMs: number | undefined, nowMs: number): number =>
  dueMs === undefined ? Number.POSITIVE_INFINITY : Math.ceil(dueMs - nowMs)

const afterTrouble = (pauseMs: number) =>
  Effect.map(Clock.currentTimeMillis, (nowMs): Turn => ({ dueMs: nowMs + pauseMs, inTrouble: true }))

/** Rows that another transaction holds are this wallet's alone: it waits, and the others go on. */
const waitForRows = Effect.fnUntraced(function* (walletId: WalletId, { message }: LedgerError) {
  yield* Log.warnOnce(`contended:${walletId}`, `⚠️ A wallet waits for rows that another program holds: ${message}`)
  return yield* afterTrouble(CONTENDED_MS)
})

/** What the ledger refuses to write is a row of this wallet: it stops itself, and nobody else. */
const waitForRow = Effect.fnUntraced(function* (walletId: WalletId, { message }: LedgerError) {
  const words = `A row of wallet ${walletId} cannot be written, and its work waits until it can: ${message}`
  yield* Log.warnOnce(`unwritable:${walletId}`, `⚠️ ${words}`)
  yield* Incidents.raise(`unwritable:${walletId}`, words)
  return yield* afterTrouble(PARKED_MS)
})

/** A turn whose trouble ends with it: the environment's costs a pause, a defect parks the wallet. */
const guardedTurn = (walletId: WalletId) =>
  takeTurn(walletId).pipe(
    Effect.tapError((error) => (error._tag === "ChainError" ? noteTrouble(walletId, error) : Effect.void)),
    Effect.map((dueMs): Turn => ({ dueMs, inTrouble: false })),
    Effect.catch((error) =>
      Effect.gen(function* () {
        if (error._tag === "LedgerError" && error.reason === "Contended") return yield* waitForRows(walletId, error)
        if (error._tag === "LedgerError" && error.reason === "Rejected") return yield* waitForRow(walletId, error)
        const pauseMs = yield* (yield* Outage).failed
        yield* Log.warnOnce(
          `turn:${error.operation}`,
          `⚠️ Wallets pause for ${Math.ceil(pauseMs / 1000)}s: ${error.message}`
        )
        return yield* afterTrouble(pauseMs)
      })
    ),
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.failCause(cause)
        : Effect.gen(function* () {
            yield* Metrics.walletParked
            yield* Log.error(`🚨 Wallet ${walletId} is parked after a defect`, { wallet: walletId, cause })
            return yield* afterTrouble(PARKED_MS)
          })
    )
  )

const timed = <A, E, R>(turn: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Effect.timed(turn), ([took, left]) => Effect.as(Metrics.turnEnded(Duration.toMillis(took)), left))

export const layer = layerNoDeps.pipe(Layer.provide(Outage.layer), Layer.provideMerge(CodeWatch.layer))
