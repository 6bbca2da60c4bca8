import { Clock, Duration, Effect, type Exit, Ref } from "effect"

/**
 * Makes an effect whose end is shared by all who ask while it runs, and for `kept` after it; and one that forgets that
 * end. Effect's own cache counts by the clock of the machine: where that is set back, it would keep one answer for hours.
 */
export const cachedFor = Effect.fnUntraced(function* <A, E, R>(
  self: Effect.Effect<A, E, R>,
  kept: (exit: Exit.Exit<A, E>) => Duration.Input
) {
  /** Until when the end counts, by a clock that never jumps; `undefined` while there is none. */
  const until = yield* Ref.make<bigint | undefined>(undefined)
  const [shared, forget] = yield* Effect.andThen(Ref.set(until, undefined), self).pipe(
    Effect.onExit((exit) =>
      Effect.flatMap(Clock.monotonicTimeNanos, (nanos) =>
        Ref.set(until, nanos + Duration.toNanosUnsafe(Duration.fromInputUnsafe(kept(exit))))
      )
    ),
    Effect.cachedInvalidateWithTTL(Duration.infinity)
  )
  const now = Effect.gen(function* () {
    const [untilNanos, nowNanos] = [yield* Ref.get(until), yield* Clock.monotonicTimeNanos]
    if (untilNanos !== undefined && nowNanos >= untilNanos) yield* forget
    return yield* shared
  })
  return { now, forget }
})
