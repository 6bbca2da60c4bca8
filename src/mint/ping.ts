import { Clock, Effect } from "effect"
import { HttpClientRequest } from "effect/http"
import { NoReply } from "./http.ts"
import type { Minter } from "./Minter.ts"
import type { Reply } from "./reply.ts"

/** A caller waits for the answer: shorter than `MINT_TIMEOUT`, which is for payments. */
const TIME_LIMIT = "3 seconds"

/**
 * Sends a HEAD request to `SERVER_URL`. Any answer will do, a 404 or a redirect too. Nothing is ordered or paid, and
 * without a body in either direction it costs the server almost nothing.
 */
export const makePing = (
  ask: (request: HttpClientRequest.HttpClientRequest) => Effect.Effect<Reply, NoReply>
): Minter["Service"]["ping"] =>
  Effect.gen(function* () {
    const startNanos = yield* Clock.monotonicTimeNanos
    const problem = yield* ask(HttpClientRequest.head("/")).pipe(
      Effect.timeoutOrElse({
        duration: TIME_LIMIT,
        orElse: () => new NoReply({ message: `no answer from the mint server within ${TIME_LIMIT}`, isSent: true })
      }),
      Effect.match({ onSuccess: () => undefined, onFailure: ({ message }) => message })
    )
    return { tookMs: Number((yield* Clock.monotonicTimeNanos) - startNanos) / 1e6, problem }
  }).pipe(Effect.withSpan("Minter.ping"))
