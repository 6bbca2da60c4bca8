import { Clock, Context, Effect, FiberSet, Ref } from "effect"
import type { ChainError } from "../chain/ChainClient.ts"
import type { RequestEnd, RequestKind, Strain } from "../domain/RequestLimit.ts"
import type { WalletId } from "../domain/Wallet.ts"
import { type LedgerError, Outrun } from "../ledger/TaskRepo.ts"
import { Minter, type PaymentAnswer } from "../mint/Minter.ts"
import * as Background from "../ops/background.ts"
import type { Turn } from "./agenda.ts"
import type { Left } from "./left.ts"
import { OUTRUN_PAUSE_MS } from "./pace.ts"
import { makePlaces, monotonicMs } from "./Places.ts"
import { makeGuarded } from "./trouble.ts"

type Request = Effect.Effect<Left | undefined, ChainError | LedgerError | Outrun>

/**
 * A place among the requests to the mint server, from which it can be asked. It is held from before the claim of the
 * first request to the end of the last one that follows from it, so that no claimed request waits for a place.
 */
export interface Place extends Pick<Minter["Service"], "quote" | "pay" | "follow"> {
  /**
   * Runs a request, and what its answer changes, beside the turns of the place's wallet. It gives what is left to do for
   * the wallet then; where it does not know that, the wallet is woken. `Outrun` says that nothing was changed. The ledger
   * has to know of it before: a process that dies over it leaves nothing but the row.
   */
  readonly start: (request: Request) => Effect.Effect<void>
}

/**
 * Requests to the mint server that are on their way. The server may take as long as it likes, and what it has done is
 * read from the chain: so a request runs beside the turns of its wallet, and holds none of them up.
 */
export class ServerRequests extends Context.Service<
  ServerRequests,
  {
    /**
     * Runs this from a place, which is free again once this and all that it started have ended. `InLine` where none is
     * free: nothing was run, and the wallet is woken when it is its turn.
     */
    readonly withPlace: <A, E, R>(
      walletId: WalletId,
      use: (place: Place) => Effect.Effect<A, E, R>
    ) => Effect.Effect<A | "InLine", E, R>
    /** A wallet in line has no other work before that time. */
    readonly waitUntil: (walletId: WalletId, dueMs: number) => Effect.Effect<void>
    /** Whether a place is kept for this wallet, which was in line. */
    readonly isCalled: (walletId: WalletId) => Effect.Effect<boolean>
    /** The wallet needs no place now: the one that was kept for it is another's. */
    readonly passOn: (walletId: WalletId) => Effect.Effect<void>
  }
>()("ai-mint-executor/executor/ServerRequests") {}

interface Options {
  /** Called with each wallet whose request ends, and what that leaves; where nothing was changed it counts as trouble. */
  readonly onEnd: (walletId: WalletId, left: Turn) => Effect.Effect<void>
  /** A place is kept for this wallet, which was in line. */
  readonly onCall: (walletId: WalletId) => Effect.Effect<void>
  /** Requests that may be in the air at once. It may be another at each time. */
  readonly max: Effect.Effect<number>
}

/** One fiber for each request to the mint server, and a place for each chain of them. */
export const makeRequests = Effect.fnUntraced(function* ({ onEnd, onCall, max }: Options) {
  const outside = yield* Effect.context<never>()
  const guarded = yield* makeGuarded
  const fibers = yield* FiberSet.make<void>()
  const places = yield* makePlaces({ onCall, max })
  const asks = measured(yield* Minter, places.noteEnd)

  const run = (walletId: WalletId, request: Request) =>
    guarded(walletId, afterRequest(request)).pipe(
      Effect.flatMap((left) => onEnd(walletId, left)),
      Effect.annotateLogs("wallet", walletId),
      Effect.provideContext(outside)
    )

  /** A place is held by what runs from it and by each request that this starts: the last one to end leaves it. */
  const hold = Effect.fnUntraced(function* (walletId: WalletId) {
    if (!(yield* places.take(walletId))) return undefined
    const holders = yield* Ref.make(1)
    const leave = Effect.flatMap(
      Ref.updateAndGet(holders, (count) => count - 1),
      (left) => (left === 0 ? places.leave : Effect.void)
    )
    const start: Place["start"] = (request) =>
      Ref.update(holders, (count) => count + 1).pipe(
        Effect.andThen(
          FiberSet.run(fibers, Background.reported("A request", Effect.ensuring(run(walletId, request), leave)))
        ),
        Effect.uninterruptible,
        Effect.asVoid
      )
    return { place: { ...asks, start }, leave }
  })

  const service = ServerRequests.of({
    withPlace: <A, E, R>(walletId: WalletId, use: (place: Place) => Effect.Effect<A, E, R>) =>
      Effect.acquireUseRelease(
        hold(walletId),
        (held): Effect.Effect<A | "InLine", E, R> => (held === undefined ? Effect.succeed("InLine") : use(held.place)),
        (held) => held?.leave ?? Effect.void
      ),
    waitUntil: places.waitUntil,
    isCalled: places.isCalled,
    passOn: places.passOn
  })
  return { service, isIdle: places.isIdle, size: FiberSet.size(fibers), ended: FiberSet.awaitEmpty(fibers) }
})

/** The same questions to the mint server, each with its end reported. One that is interrupted says nothing of the server. */
const measured = (minter: Minter["Service"], noteEnd: (end: RequestEnd) => Effect.Effect<void>) => {
  const timed = Effect.fnUntraced(function* <A, E extends Strain = never>(
    kind: RequestKind,
    request: Effect.Effect<A, E>,
    strainOf: (answer: A) => Strain = () => ({})
  ) {
    const leftMs = yield* monotonicMs
    const note = ({ trouble, retryAfterMs }: Strain) =>
      Effect.flatMap(monotonicMs, (endedMs) =>
        noteEnd({
          kind,
          leftMs,
          endedMs,
          ...(trouble !== undefined && { trouble }),
          ...(retryAfterMs !== undefined && { retryAfterMs })
        })
      )
    return yield* request.pipe(
      Effect.tapError(note),
      Effect.tap((answer) => note(strainOf(answer)))
    )
  })
  return {
    quote: (order) => (minter.asksForPrice ? timed("quote", minter.quote(order)) : minter.quote(order)),
    pay: (...payment) => timed("pay", minter.pay(...payment), strainOfAnswer),
    follow: (reference) => timed("follow", minter.follow(reference))
  } satisfies Omit<Place, "start">
}

const strainOfAnswer = (answer: PaymentAnswer): Strain => (answer._tag === "Unclear" ? answer : {})

/** Another program was first, or the answer came too late: what there is to do is read again in a moment. */
const afterRequest = (request: Request) =>
  Effect.matchEffect(request, {
    onSuccess: (left) => Effect.succeed(left ?? AT_ONCE),
    onFailure: (error) => {
      if (error._tag !== "Outrun") return Effect.fail(error)
      return Effect.map(Clock.currentTimeMillis, (nowMs) => ({ dueMs: nowMs + OUTRUN_PAUSE_MS, inTrouble: true }))
    }
  })

const AT_ONCE: Left = { dueMs: 0 }

/** What is done instead of a request that cannot be written down: its batch is read again in a moment. */
export const outrun = () => Effect.fail(new Outrun())
