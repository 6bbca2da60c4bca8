import { Clock, Effect } from "effect"
import { HttpClientRequest } from "effect/http"
import { NoReply } from "./http.ts"
import type { Minter } from "./Minter.ts"
import type { Reply } from "./reply.ts"

/** Whoever asks whether the server is there wants to know it now. Shorter than `MINT_TIMEOUT`, which is for payments. */
const PATIENCE = "3 seconds"

/**
 * Knocks at `SERVER_URL`. Whatever comes back is an answer, a 404 and a redirect too: the server is there. Nothing is
 * ordered or paid, and without a body in either direction it costs the server next to nothing.
 */
export const makeReach = (
  ask: (request: HttpClientRequest.HttpClientRequest) => Effect.Effect<Reply, NoReply>
): Minter["Service"]["reach"] =>
  Effect.gen(function* () {
    const startNanos = yield* Clock.monotonicTimeNanos
    const problem = yield* ask(HttpClientRequest.head("/")).pipe(
      Effect.timeoutOrElse({
        duration: PATIENCE,
        orElse: () => new NoReply({ message: `no answer from the mint server within ${PATIENCE}`, isSent: true })
      }),
      Effect.match({ onSuccess: () => undefined, onFailure: ({ message }) => message })
    )
    return { tookMs: Number((yield* Clock.monotonicTimeNanos) - startNanos) / 1e6, problem }
  }).pipe(Effect.withSpan("Minter.reach"))
