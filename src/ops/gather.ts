import { type Array as Arr, Deferred, Effect, Exit, Request, RequestResolver } from "effect"

/** So long questions wait for those before them. Where it takes longer, they need not have the same fate. */
const PATIENCE = "100 millis"

/** More questions than that travel in parts. */
const TOGETHER_MAX = 500

interface Options<Q, A, E> {
  /** Questions with the same key travel together. Left out, all do. */
  readonly keyOf?: (question: Q) => string
  /**
   * Whether questions that come while others are on their way wait for these, for `PATIENCE` at most, and then travel
   * together. A question that comes alone waits for nothing; and the more there is to ask, the more travels as one.
   */
  readonly inTurn?: boolean
  /** The answers in the order of the questions. */
  readonly askAll: (questions: Arr.NonEmptyReadonlyArray<Q>) => Effect.Effect<ReadonlyArray<A>, E>
  /** Whether what failed all questions at once would fail each of them too: the environment. */
  readonly isShared: (error: E) => boolean
}

/**
 * Asks as one what independent fibers ask in the same moment. Where that fails for another reason than the environment,
 * each is asked by itself: one question without an answer costs the others nothing.
 */
export const gather = <Q, A, E>({ keyOf = () => "", inTurn = false, askAll, isShared }: Options<Q, A, E>) => {
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

  const turns = makeTurns()
  const grouped = RequestResolver.makeGrouped<Asked, string>({
    key: ({ request }) => keyOf(request.question),
    resolver: (entries) => (inTurn ? turns.take(answer(entries)) : answer(entries))
  })
  const limited = RequestResolver.batchN(grouped, TOGETHER_MAX)
  const resolver = inTurn ? RequestResolver.setDelayEffect(limited, turns.wait) : limited
  return (question: Q): Effect.Effect<A, E> => Effect.request(new Asked({ question }), resolver)
}

/** Nothing is held while one waits, so that what is interrupted then leaves nothing behind. */
const makeTurns = () => {
  let underWay: Deferred.Deferred<void> | undefined
  return {
    /** Until those before have their answers. Who gets one of these may have the next question at once. */
    wait: Effect.suspend(() => {
      const before = underWay === undefined ? Effect.void : Effect.timeoutOption(Deferred.await(underWay), PATIENCE)
      return Effect.andThen(before, Effect.yieldNow)
    }),
    take: (work: Effect.Effect<void>) =>
      Effect.suspend(() => {
        const ended = Deferred.makeUnsafe<void>()
        underWay = ended
        const end = Effect.suspend(() => {
          if (underWay === ended) underWay = undefined
          return Deferred.succeed(ended, undefined)
        })
        return Effect.ensuring(work, end)
      })
  }
}
