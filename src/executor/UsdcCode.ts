import { Context, type Effect } from "effect"
import type { ChainError } from "../chain/ChainClient.ts"
import type { LedgerError } from "../ledger/TaskRepo.ts"

/**
 * Whether USDC still runs the code that it ran before: how a payment is made and proven follows from that code. Looked
 * at before anything is signed after a start, and then once a sweep.
 */
export class UsdcCode extends Context.Service<
  UsdcCode,
  {
    /** Reads the code, and pauses all payments where it is another one and more than one answer says so. */
    readonly look: Effect.Effect<void, ChainError | LedgerError>
    /** The same for a start or a sweep, which goes on where no node answers: the next one tries again. */
    readonly lookIfPossible: Effect.Effect<void>
    /** Why nothing may be signed now, or `undefined` where the code is the one that is noted. */
    readonly reasonToWait: Effect.Effect<string | undefined>
  }
>()("ai-mint-executor/executor/UsdcCode") {}
