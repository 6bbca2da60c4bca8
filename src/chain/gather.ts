import { type Array as Arr, Effect, Exit, Request, RequestResolver } from "effect"
import { ChainError, type ChainErrorReason } from "./ChainClient.ts"

interface Options<Q, A> {
  /** Questions with the same key travel together. */
  readonly keyOf: (question: Q) => string
  /** The answers in the order of the questions. */
  readonly askAll: (
    operation: string,
    questions: Arr.NonEmptyReadonlyArray<Q>
  ) => Effect.Effect<ReadonlyArray<A>, ChainError>
}

/** The environment: what fails all questions at once would fail each of them too. */
const SHARED: ReadonlyArray<ChainErrorReason> = ["RateLimited", "Unavailable", "Timeout", "Lagging"]

/**
 * Asks as one what independent fibers ask in the same moment. Where that fails for another reason than the environment,
 * each is asked by itself, so that one question without an answer costs the others nothing. An error names the operation
 * of the fiber that gets it.
 */
export const gather = <Q, A>({ keyOf, askAll }: Options<Q, A>) => {
  class Asked extends Request.Class<{ readonly operation: string; readonly question: Q }, A, ChainError> {}

  const answer = (entries: Arr.NonEmptyReadonlyArray<Request.Entry<Asked>>): Effect.Effect<void> => {
    const [first, ...rest] = entries
    const others = rest.map(({ request }) => request.question)
    return Effect.matchEffect(askAll(first.request.operation, [first.request.question, ...others]), {
      onSuccess: (answers) =>
        Effect.sync(() => entries.forEach((entry, index) => entry.completeUnsafe(Exit.succeed(answers[index] as A)))),
      onFailure: (error) =>
        rest.length === 0 || SHARED.includes(error.reason)
          ? Effect.sync(() => entries.forEach((entry) => entry.completeUnsafe(Exit.fail(named(error, entry.request)))))
          : Effect.forEach(entries, (entry) => answer([entry]), { discard: true })
    })
  }

  const resolver = RequestResolver.makeGrouped<Asked, string>({
    key: ({ request }) => keyOf(request.question),
    resolver: answer
  })
  return (operation: string, question: Q): Effect.Effect<A, ChainError> =>
    Effect.request(new Asked({ operation, question }), resolver)
}

const named = ({ reason, detail }: ChainError, { operation }: { readonly operation: string }): ChainError =>
  new ChainError({ reason, operation, detail })
