import { type Array as Arr, Effect } from "effect"
import * as Gather from "../ops/gather.ts"
import { ChainError, type ChainErrorReason } from "./ChainClient.ts"

interface Options<Q, A> {
  readonly keyOf: (question: Q) => string
  readonly askAll: (
    operation: string,
    questions: Arr.NonEmptyReadonlyArray<Q>
  ) => Effect.Effect<ReadonlyArray<A>, ChainError>
}

const ENVIRONMENT: ReadonlyArray<ChainErrorReason> = ["RateLimited", "Unavailable", "Timeout", "Lagging"]

/** Asks the chain as one what fibers ask in the same moment. An error names the operation of the fiber that gets it. */
export const gather = <Q, A>({ keyOf, askAll }: Options<Q, A>) => {
  const ask = Gather.gather({
    keyOf: ({ question }: { readonly operation: string; readonly question: Q }) => keyOf(question),
    askAll: ([first, ...rest]) => askAll(first.operation, [first.question, ...rest.map(({ question }) => question)]),
    isShared: ({ reason }) => ENVIRONMENT.includes(reason)
  })
  return (operation: string, question: Q): Effect.Effect<A, ChainError> =>
    Effect.mapError(ask({ operation, question }), ({ reason, detail }) => new ChainError({ reason, operation, detail }))
}
