import { Clock, Duration, Effect } from "effect"

/** Answers whether something may be said now. `true` counts as having said it. */
export type Throttle = (key: string) => Effect.Effect<boolean>

/**
 * Lets each key through at most once per `every`, and all keys together at most `capacity` times per `every`: that
 * bounds the memory as well as the log. A change that must be seen at once belongs into the key.
 */
export const makeThrottle = (options: { readonly every: Duration.Input; readonly capacity: number }): Throttle => {
  const everyMs = Duration.toMillis(options.every)
  /** When each key was let through, oldest first: a `Map` keeps the order of insertion. */
  const saidAtMs = new Map<string, number>()

  /** A clock that was set back makes an age negative; then it is better to speak than to wait for it to catch up. */
  const isRecent = (atMs: number, nowMs: number): boolean => nowMs >= atMs && nowMs - atMs < everyMs

  const forgetOld = (nowMs: number): void => {
    for (const [key, atMs] of saidAtMs) {
      if (isRecent(atMs, nowMs)) return
      saidAtMs.delete(key)
    }
  }

  return (key) =>
    Effect.map(Clock.currentTimeMillis, (nowMs) => {
      forgetOld(nowMs)
      const atMs = saidAtMs.get(key)
      if (atMs !== undefined && isRecent(atMs, nowMs)) return false
      saidAtMs.delete(key)
      if (saidAtMs.size >= options.capacity) return false
      saidAtMs.set(key, nowMs)
      return true
    })
}
