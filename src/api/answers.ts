import { Effect } from "effect"
import type { ChainError } from "../chain/ChainClient.ts"
import type { NoOffer } from "../mint/Minter.ts"
import type { Refused } from "../operator/Refused.ts"
import type { LedgerError } from "../ledger/TaskRepo.ts"
import { Conflict, NotFound, Unavailable } from "./contract/problems.ts"

const unavailable = ({ message }: { readonly message: string }) => Effect.fail(new Unavailable({ detail: message }))

/** Whatever keeps a decision from being made, as a problem. */
export const deciding = <A, R>(
  decision: Effect.Effect<A, Refused | LedgerError | ChainError | NoOffer, R>
): Effect.Effect<A, NotFound | Conflict | Unavailable, R> =>
  decision.pipe(
    Effect.catchTags({
      Refused: (error) =>
        Effect.fail<NotFound | Conflict>(
          error.isMissing === true ? new NotFound({ detail: error.message }) : new Conflict({ detail: error.message })
        ),
      LedgerError: unavailable,
      ChainError: unavailable,
      NoOffer: unavailable
    })
  )

/** The same for what only looks: there is nothing to be refused but what is not there. */
export const asking = <A, R>(
  question: Effect.Effect<A, Refused | LedgerError | ChainError, R>
): Effect.Effect<A, NotFound | Unavailable, R> =>
  deciding(question).pipe(
    Effect.catchTag("Conflict", ({ detail }) => Effect.fail(new NotFound(detail === undefined ? {} : { detail })))
  )
