import { Clock, Effect } from "effect"
import { endOfKey, type KeyId } from "../domain/Key.ts"
import { KeyRepo } from "../ledger/KeyRepo.ts"

/** How soon an answer without an end stops once its key opens nothing any more. */
const LOOK_EVERY = "5 seconds"

/**
 * Waits until a key is revoked or has expired. A key is checked when a request comes, and an answer that never ends would
 * outlive it. While the ledger does not answer, no key is known to have ended.
 */
export const makeKeyEnd = Effect.map(KeyRepo, (keys) => {
  const hasEnded = Effect.fnUntraced(function* (id: KeyId) {
    const key = yield* keys.find(id)
    return key === undefined || endOfKey(key, yield* Clock.currentTimeMillis) !== undefined
  })
  return (id: KeyId): Effect.Effect<void> =>
    hasEnded(id).pipe(
      Effect.orElseSucceed(() => false),
      Effect.delay(LOOK_EVERY),
      Effect.repeat({ until: (ended) => ended }),
      Effect.asVoid
    )
})
