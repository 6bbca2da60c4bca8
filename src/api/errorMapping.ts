import { Effect } from "effect"
import type { OperatorError } from "../operator/Operator.ts"
import { Conflict, NotFound, Unavailable } from "./contract/problems.ts"

/** A decision's errors as problems. */
export const deciding = <A>(decision: Effect.Effect<A, OperatorError>) =>
  Effect.catchTags(decision, {
    Refused: ({ message: detail, isMissing }) =>
      Effect.fail<NotFound | Conflict>(isMissing === true ? new NotFound({ detail }) : new Conflict({ detail })),
    Unanswered: ({ message: detail }) => Effect.fail(new Unavailable({ detail }))
  })

/** A question's errors as problems: it is refused only where nothing has the name that was given. */
export const asking = <A>(question: Effect.Effect<A, OperatorError>) =>
  Effect.catchTags(question, {
    Refused: ({ message: detail }) => Effect.fail(new NotFound({ detail })),
    Unanswered: ({ message: detail }) => Effect.fail(new Unavailable({ detail }))
  })
