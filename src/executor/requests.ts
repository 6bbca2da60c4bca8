import { wasFirst } from "../ledger/TaskRepo.ts"
import { Clock, type Context, Effect, FiberSet } from "effect"
import type { WalletId } from "../domain/Wallet.ts"
import { OUTRUN_PAUSE_MS } from "./pace.ts"
import { ServerRequests, type WalletServices } from "./ServerRequests.ts"
import { guarded } from "./trouble.ts"

/**
 * One fiber for each request to the mint server. `onEnd` hears of each that ends, and until when its wallet leaves
 * everything alone: after trouble, or where nothing was changed.
 */
export const makeRequests = Effect.fnUntraced(function* (
  outside: Context.Context<Exclude<WalletServices, ServerRequests>>,
  onEnd: (walletId: WalletId, restUntilMs: number) => Effect.Effect<void>
) {
  const fibers = yield* FiberSet.make<void>()
  const service: ServerRequests["Service"] = ServerRequests.of({
    start: (walletId, request) =>
      guarded(walletId, Effect.flatMap(wasFirst(request), afterRequest)).pipe(
        Effect.flatMap(({ dueMs = 0 }) => onEnd(walletId, dueMs)),
        Effect.annotateLogs("wallet", walletId),
        Effect.provideService(ServerRequests, service),
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
