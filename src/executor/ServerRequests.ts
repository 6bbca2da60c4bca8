import { Clock, Context, Effect, FiberSet } from "effect"
import type { ChainError } from "../chain/ChainClient.ts"
import type { WalletId } from "../domain/Wallet.ts"
import { type LedgerError, Outrun, wasFirst } from "../ledger/TaskRepo.ts"
import { OUTRUN_PAUSE_MS } from "./pace.ts"
import { makeGuarded } from "./trouble.ts"

/**
 * Requests to the mint server that are on their way. The server may take as long as it likes, and what it has done is
 * read from the chain: so a request runs beside the turns of its wallet, and holds none of them up.
 */
export class ServerRequests extends Context.Service<
  ServerRequests,
  {
    /**
     * Runs a request, and what its answer changes, beside the turns of this wallet, which is woken at its end; `Outrun`
     * says that nothing was changed. The ledger has to know of it before: a process that dies over it leaves nothing but
     * the row.
     */
    readonly start: (
      walletId: WalletId,
      request: Effect.Effect<void, ChainError | LedgerError | Outrun>
    ) => Effect.Effect<void>
  }
>()("ai-mint-executor/executor/ServerRequests") {}

/**
 * One fiber for each request to the mint server. `onEnd` is called with each wallet whose request ends, and until when the
 * wallet leaves everything alone: after trouble, or where nothing was changed.
 */
export const makeRequests = Effect.fnUntraced(function* (
  onEnd: (walletId: WalletId, restUntilMs: number) => Effect.Effect<void>
) {
  const outside = yield* Effect.context<never>()
  const guarded = yield* makeGuarded
  const fibers = yield* FiberSet.make<void>()
  const service = ServerRequests.of({
    start: (walletId, request) =>
      guarded(walletId, Effect.flatMap(wasFirst(request), afterRequest)).pipe(
        Effect.flatMap(({ dueMs = 0 }) => onEnd(walletId, dueMs)),
        Effect.annotateLogs("wallet", walletId),
        Effect.provideContext(outside),
        FiberSet.run(fibers),
        Effect.asVoid
      )
  })
  return { service, size: FiberSet.size(fibers), ended: FiberSet.awaitEmpty(fibers) }
})

/** Another program was first, or the answer came too late: what there is to do is read again in a moment. */
const afterRequest = (changed: boolean) =>
  changed ? Effect.undefined : Effect.map(Clock.currentTimeMillis, (nowMs) => nowMs + OUTRUN_PAUSE_MS)

/** What is done instead of a request that cannot be written down: its batch is read again in a moment. */
export const outrun = () => Effect.fail(new Outrun())
