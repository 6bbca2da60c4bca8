import { Clock, Duration, Effect, Ref } from "effect"

/** Whether something may be logged now. `true` counts as logged. */
export type Throttle = (key: string) => Effect.Effect<boolean>

/**
 * Lets each key through at most once per `every`, and all keys together at most `capacity` times per `every`: that
 * bounds the memory as well as the log. A change that must be seen at once belongs into the key.
 */
export const makeThrottle = (options: {
  readonly every: Duration.Input
  readonly capacity: number
}): Effect.Effect<Throttle> => {
  const everyMs = Duration.toMillis(options.every)
  /** A clock that was set back makes an age negative: then a key is let through rather than silenced until it catches up. */
  const isRecent = (atMs: number, nowMs: number): boolean => nowMs >= atMs && nowMs - atMs < everyMs

  /** When each key was let through. */
  return Effect.map(
    Ref.make<ReadonlyMap<string, number>>(new Map()),
    (passed) => (key) =>
      Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
        Ref.modify(passed, (before): readonly [boolean, ReadonlyMap<string, number>] => {
          const atMs = before.get(key)
          if (atMs !== undefined && isRecent(atMs, nowMs)) return [false, before]
          const recent = new Map([...before].filter(([one, oneMs]) => one !== key && isRecent(oneMs, nowMs)))
          return recent.size >= options.capacity ? [false, recent] : [true, recent.set(key, nowMs)]
        })
      )
  )
}
