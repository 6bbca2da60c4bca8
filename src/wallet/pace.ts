import { Clock, Duration, Effect } from "effect"
import { Settings } from "../config/Settings.ts"

/** Time beyond `MINT_TIMEOUT` for the answer to be stored, before anyone looks after the request. */
export const ANSWER_MARGIN_MS = 5_000

/** By when the answer to a request that leaves now is stored; after that it has to be looked after. */
export const answerByMs = Effect.gen(function* () {
  const { mintTimeout } = yield* Settings
  return (yield* Clock.currentTimeMillis) + Duration.toMillis(mintTimeout) + ANSWER_MARGIN_MS
})

/** How long a block that comes now takes until it counts, one more block for its transaction included. */
export const confirmMs = Effect.map(
  Settings,
  ({ confirmations, network }) => (confirmations + 1) * network.blockSeconds * 1000
)

/** How soon to try again where another program holds a row. */
export const LOCKED_PAUSE_MS = 5_000

/** How soon to try again an order of which a row cannot be written. A pause is ours alone, and no change of that row. */
export const UNWRITABLE_PAUSE_MS = 60_000

/** Another program was first: leave it a moment before looking again. */
export const OUTRUN_PAUSE_MS = 1_000
