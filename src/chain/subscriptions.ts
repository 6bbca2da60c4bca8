import { Clock, Duration, Effect, Queue, RcRef, Redacted, Ref, type Scope } from "effect"
import type { NetworkShape } from "../config/Network.ts"
import type { IdentifiedNode } from "../domain/requirements.ts"
import * as Background from "../ops/background.ts"
import * as Log from "../ops/Log.ts"
import { hostOf } from "../ops/redact.ts"
import type { SubscriptionHealth } from "./ChainClient.ts"
import type { NodeFault } from "./classify.ts"
import type { Subscriptions } from "./heads.ts"
import { announced, subscriptionBegan, subscriptionIs } from "./metrics.ts"
import { listen, type Source } from "./subscription.ts"

/** A connection is made anew after a block's time, after twice that the next time, and so on up to this. */
const PAUSE_MAX_MS = 60_000

/** So long after the last one who waited for a block the connections are closed: nothing is open any more. */
const IDLE = Duration.minutes(1)

/** Announcements that are kept for who is busy; of more, the newest count. */
const KEPT = 16

export interface SubscriptionOptions {
  readonly urls: ReadonlyArray<Redacted.Redacted>
  readonly network: NetworkShape
  readonly first: IdentifiedNode
}

/** Listens to every URL at once, each for itself: the first one to announce a block is heard. */
export const makeSubscriptions = Effect.fnUntraced(function* ({
  urls,
  ...chain
}: SubscriptionOptions): Effect.fn.Return<Subscriptions, never, Scope.Scope> {
  const heads = yield* Queue.sliding<bigint>(KEPT)
  const all = yield* Effect.forEach(urls, (url) =>
    makeSubscription({ url, host: hostOf(Redacted.value(url)), ...chain }, (head) => Queue.offer(heads, head))
  )
  const health = Effect.forEach(all, (one) => one.health)
  const running = yield* RcRef.make({
    acquire: Effect.forEach(all, (one) => Effect.forkScoped(one.run), { discard: true }),
    idleTimeToLive: IDLE
  })
  return {
    above: (head) =>
      RcRef.get(running).pipe(
        Effect.andThen(Effect.repeat(Queue.take(heads), { until: (number) => number > head })),
        Effect.scoped,
        Effect.asVoid
      ),
    areLive: Effect.map(health, (states) => states.some(({ stage }) => stage === "live")),
    health
  }
})

const makeSubscription = Effect.fnUntraced(function* (
  source: Source,
  announce: (head: bigint) => Effect.Effect<unknown>
) {
  const { host, network } = source
  const firstPauseMs = network.blockSeconds * 1000
  const unused: SubscriptionHealth = {
    host,
    stage: "unused",
    head: undefined,
    heardAtMs: undefined,
    problem: undefined
  }
  const state = yield* Ref.make(unused)
  const pauseMs = yield* Ref.make(firstPauseMs)
  yield* subscriptionBegan(host)

  const onHead = Effect.fnUntraced(function* (head: bigint) {
    const heardAtMs = yield* Clock.currentTimeMillis
    const before = yield* Ref.getAndSet(state, { host, stage: "live", head, heardAtMs, problem: undefined })
    if (before.problem !== undefined) yield* Log.info(`📡 ${host} announces new blocks again`, { host })
    yield* announced(host)
    yield* announce(head)
  })

  const onFault = Effect.fnUntraced(function* ({ reason, detail }: NodeFault) {
    const problem = `${reason} (${detail})`
    const before = yield* Ref.getAndUpdate(state, (now) => ({ ...now, stage: "down" as const, problem }))
    if (before.problem !== undefined) return yield* Log.debug(`📡 ${host} announces no new blocks yet: ${problem}`)
    const words = `⚠️ ${host} announces no new blocks, and they are asked for instead: ${problem}`
    yield* Log.warnOnce(`subscription ${host}`, words, { host })
  })

  const connection = Effect.gen(function* () {
    const sinceNanos = yield* Clock.monotonicTimeNanos
    yield* Ref.update(state, (now) => (now.stage === "unused" ? { ...now, stage: "connecting" as const } : now))
    yield* Effect.catch(Effect.scoped(listen(source, onHead)), onFault)
    yield* subscriptionIs(host, false)
    const lasted = Number((yield* Clock.monotonicTimeNanos) - sinceNanos) / 1e6 >= PAUSE_MAX_MS
    const pause = yield* Ref.getAndUpdate(pauseMs, (ms) => Math.min(PAUSE_MAX_MS, 2 * (lasted ? firstPauseMs : ms)))
    yield* Effect.sleep(lasted ? firstPauseMs : pause)
  })

  const end = Effect.all([Ref.set(state, unused), Ref.set(pauseMs, firstPauseMs), subscriptionIs(host, false)])
  const run = Effect.ensuring(Background.repeated(`Listening to ${host}`, 0, connection), end)
  return { run, health: Ref.get(state) }
})
