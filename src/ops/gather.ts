import { type Array as Arr, Effect, Exit, Request, RequestResolver } from "effect"

interface Options<Q, A, E> {
  /** Questions with the same key travel together. Left out, all do. */
  readonly keyOf?: (question: Q) => string
  /** The answers in the order of the questions. */
  readonly askAll: (questions: Arr.NonEmptyReadonlyArray<Q>) => Effect.Effect<ReadonlyArray<A>, E>
  /** Whether what failed all questions at once would fail each of them too: the environment. */
  readonly isShared: (error: E) => boolean
}

/**
 * Asks as one what independent fibers ask in the same moment. Where that fails for another reason than the environment,
 * each is asked by itself: one question without an answer costs the others nothing.
 */
export const gather = <Q, A, E>({ keyOf = () => "", askAll, isShared }: Options<Q, A, E>) => {
  class Asked extends Request.Class<{ readonly question: Q }, A, E> {}

  const answer = (entries: Arr.NonEmptyReadonlyArray<Request.Entry<Asked>>): Effect.Effect<void> => {
    const [first, ...rest] = entries
    const failAll = (error: E) => Effect.sync(() => entries.forEach((entry) => entry.completeUnsafe(Exit.fail(error))))
    return Effect.matchEffect(askAll([first.request.question, ...rest.map(({ request }) => request.question)]), {
      onSuccess: (answers) =>
        Effect.sync(() => entries.forEach((entry, index) => entry.completeUnsafe(Exit.succeed(answers[index] as A)))),
      onFailure: (error) =>
        rest.length === 0 || isShared(error)
          ? failAll(error)
          : Effect.forEach(entries, (entry) => answer([entry]), { discard: true })
    })
  }

  const resolver = RequestResolver.makeGrouped<Asked, string>({
    key: ({ request }) => keyOf(request.question),
    resolver: answer
  })
  return (question: Q): Effect.Effect<A, E> => Effect.request(new Asked({ question }), resolver)
}
