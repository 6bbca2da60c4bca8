import { Clock, Duration, Effect, FiberSet, Layer, Option, Queue, Random, Ref } from "effect"
import { SecretBox } from "../../chain/SecretBox.ts"
import { Settings } from "../../config/Settings.ts"
import { pauseAfter } from "../../domain/webhooks.ts"
import { type Attempt, type Endpoint, type Outcome, type WebhookId, WebhookRepo } from "../../ledger/WebhookRepo.ts"
import * as Background from "../../ops/background.ts"
import * as Log from "../../ops/Log.ts"
import { version } from "../../ops/process.ts"
import * as Metrics from "../../ops/webhookMetrics.ts"
import { resolveTarget } from "../../ops/webhookTarget.ts"
import { AT_ONCE_MAX, makePost } from "./post.ts"
import { signedHeaders } from "./sign.ts"

/** How soon an event is seen. */
const POLL = Duration.millis(250)

/** The same behind another one: events seldom come alone. */
const POLL_WHILE_BUSY = Duration.millis(25)

/** How soon the first endpoint is seen. Until then nothing else is asked. */
const POLL_FOR_ENDPOINTS = Duration.seconds(2)

const AFTER_FAILURE = Duration.seconds(5)

/** Events that are given to the endpoints in one transaction. */
const EVENTS = 500

/** Requests under way to all endpoints. */
const IN_FLIGHT_MAX = 256

/** Longer than an exchange takes, and clocks of executors differ: no other one takes a delivery that is being made. */
const LEASE_MS = 90_000

/** What needs attention is looked at so often. */
const ATTENTION_EVERY = "5 seconds"

const TIDY_EVERY = "30 seconds"

/** What this process is doing with an endpoint. */
interface Doing {
  readonly inFlight: number
  /** The last attempt failed: then one at a time is enough. */
  readonly isFailing: boolean
}

type Doings = ReadonlyMap<WebhookId, Doing>

const IDLE: Doing = { inFlight: 0, isFailing: false }

interface Ended extends Outcome {
  readonly webhookId: WebhookId
  /** The endpoint answered 410: nothing more is sent to it. */
  readonly isGone: boolean
}

/** How many deliveries may be taken for each endpoint: one that does not answer takes no place from another. */
export const placesFor = (endpoints: ReadonlyArray<Pick<Endpoint, "id">>, doings: Doings) => {
  let left = IN_FLIGHT_MAX - [...doings.values()].reduce((sum, { inFlight }) => sum + inFlight, 0)
  return endpoints.flatMap(({ id }) => {
    const { inFlight, isFailing } = doings.get(id) ?? IDLE
    const free = Math.min((isFailing ? 1 : AT_ONCE_MAX) - inFlight, left)
    if (free <= 0) return []
    left -= free
    return [{ id, free }]
  })
}

/** Delivers messages until the scope closes. What is under way then is left to the next executor. */
const makeDelivering = Effect.gen(function* () {
  const repo = yield* WebhookRepo
  const deliver = yield* makeDeliver
  const ended = yield* Queue.unbounded<Ended>()
  const doings = yield* Ref.make<Doings>(new Map())
  const fibers = yield* FiberSet.make()

  const take = Effect.fnUntraced(function* (endpoints: ReadonlyArray<Endpoint>) {
    const places = placesFor(endpoints, yield* Ref.get(doings))
    if (places.length === 0) return 0
    const attempts = yield* repo.claim(places, yield* Clock.currentTimeMillis, LEASE_MS)
    yield* Ref.update(doings, (all) => begun(all, attempts))
    const byId = new Map(endpoints.map((endpoint) => [endpoint.id, endpoint]))
    for (const attempt of attempts) {
      const endpoint = byId.get(attempt.webhookId)
      if (endpoint === undefined) continue
      yield* FiberSet.run(
        fibers,
        Effect.flatMap(deliver(endpoint, attempt), (end) => Queue.offer(ended, end))
      )
    }
    return attempts.length
  })

  const settle = Effect.fnUntraced(function* (ends: ReadonlyArray<Ended>) {
    const nowMs = yield* Clock.currentTimeMillis
    yield* repo.settle(ends, nowMs)
    const gone = ends.filter(({ isGone }) => isGone)
    yield* Effect.forEach(gone, ({ webhookId }) => repo.end(webhookId, "it answered 410 Gone", undefined, nowMs))
    yield* Ref.update(doings, (all) => over(all, ends))
  })

  /** Gives the endpoints what has happened, and begins what is due. Says how long to wait for more. */
  const begin = Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    const endpoints = yield* repo.endpoints(nowMs)
    if (endpoints.length === 0) return POLL_FOR_ENDPOINTS
    yield* Effect.repeat(repo.fanOut(EVENTS, nowMs), { while: (events) => events >= EVENTS })
    return (yield* take(endpoints)) > 0 ? POLL_WHILE_BUSY : POLL
  })

  return Effect.gen(function* () {
    const wait = yield* begin
    // Taken only now, so that an end of the wait at the same moment loses none.
    yield* Effect.timeoutOption(Queue.peek(ended), wait)
    const ends = yield* Queue.clear(ended)
    // What became of them is not lost where it cannot be written now.
    if (ends.length > 0) yield* Effect.onError(settle(ends), () => Queue.offerAll(ended, ends))
  })
})

const begun = (doings: Doings, attempts: ReadonlyArray<Attempt>): Doings => {
  const all = new Map(doings)
  for (const { webhookId } of attempts) {
    const doing = all.get(webhookId) ?? IDLE
    all.set(webhookId, { ...doing, inFlight: doing.inFlight + 1 })
  }
  return all
}

const over = (doings: Doings, ends: ReadonlyArray<Ended>): Doings => {
  const all = new Map(doings)
  for (const { webhookId, state } of ends) {
    const { inFlight } = all.get(webhookId) ?? IDLE
    const doing = { inFlight: inFlight - 1, isFailing: state !== "delivered" }
    if (doing.inFlight <= 0 && !doing.isFailing) all.delete(webhookId)
    else all.set(webhookId, doing)
  }
  return all
}

/** Makes one attempt, and says how it ended. */
const makeDeliver = Effect.gen(function* () {
  const { network } = yield* Settings
  const repo = yield* WebhookRepo
  const box = yield* SecretBox
  const post = yield* makePost

  /** The old one was sealed with another `AGENT_ENCRYPTION_KEY`, perhaps: then the new one signs alone. */
  const secretsOf = Effect.fnUntraced(function* (endpoint: Endpoint, nowMs: number) {
    const { id, sealedSecret, oldSealedSecret, oldSecretUntilMs = 0 } = endpoint
    const secret = yield* box.open(sealedSecret, id)
    const isOver = oldSealedSecret === undefined || oldSecretUntilMs <= nowMs
    const old = isOver ? Option.none() : yield* Effect.option(box.open(oldSealedSecret, id))
    return [secret, ...Option.toArray(old)]
  })

  const send = Effect.fnUntraced(function* (endpoint: Endpoint, { id, body }: Attempt) {
    const nowMs = yield* Clock.currentTimeMillis
    const secrets = yield* secretsOf(endpoint, nowMs)
    const target = yield* resolveTarget(endpoint.url, { isLocal: network.hasSandbox })
    const signed = signedHeaders({ id: `msg_${id}`, timestamp: Math.floor(nowMs / 1_000), body }, secrets)
    return yield* post(target, { ...signed, "user-agent": `ai-mint-executor/${version}` }, body)
  })

  return Effect.fnUntraced(
    function* (endpoint: Endpoint, attempt: Attempt) {
      const answer = yield* Effect.result(send(endpoint, attempt))
      const chance = yield* Random.next
      const nowMs = yield* Clock.currentTimeMillis
      const end =
        answer._tag === "Success"
          ? outcomeOf(attempt, { ...answer.success, chance, nowMs })
          : outcomeOf(attempt, { error: answer.failure.message, chance, nowMs })
      yield* Metrics.attemptEnded(end.state === "waiting" ? "failed" : end.state)
      if (end.error !== undefined) {
        yield* Log.warnOnce(
          `webhook:${endpoint.id}`,
          `⚠️ Webhook ${endpoint.id.slice(0, 8)}: not delivered: ${end.error}. Orders go on`
        )
      }
      return end
    },
    (work, _, { id, attempt }) => Effect.onInterrupt(work, () => released(repo, { id, attempt }))
  )
})

/** A stop in the middle of an attempt: it may have arrived, and is made again soon. */
const released = (repo: WebhookRepo["Service"], attempt: Pick<Attempt, "id" | "attempt">) =>
  Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    const error = "the executor stopped in the middle of it"
    const nextAtMs = nowMs + (pauseAfter(1, 0) ?? 0)
    yield* repo.settle([{ ...attempt, state: "waiting", nextAtMs, status: undefined, error }], nowMs)
  }).pipe(Effect.ignore)

interface Came {
  readonly status?: number
  readonly retryAfterMs?: number | undefined
  readonly error?: string
  readonly chance: number
  readonly nowMs: number
}

const GONE = 410

/** What becomes of a delivery after an attempt. */
export const outcomeOf = (
  { id, webhookId, attempt, nth }: Pick<Attempt, "id" | "webhookId" | "attempt" | "nth">,
  { status, retryAfterMs, error, chance, nowMs }: Came
): Ended => {
  const of = { id, webhookId, attempt, status, isGone: status === GONE }
  if (status !== undefined && status >= 200 && status < 300) {
    return { ...of, state: "delivered", nextAtMs: nowMs, error: undefined }
  }
  const why =
    error ??
    `it answered ${status}${status !== undefined && status >= 300 && status < 400 ? ", and no redirect is followed" : ""}`
  const pauseMs = status === GONE ? undefined : pauseAfter(nth, chance, retryAfterMs)
  return pauseMs === undefined
    ? { ...of, state: "given_up", nextAtMs: nowMs, error: why }
    : { ...of, state: "waiting", nextAtMs: nowMs + pauseMs, error: why }
}

/** Events for what begins and ends to need attention, where an endpoint listens for them. */
const makeTracking = Effect.gen(function* () {
  const repo = yield* WebhookRepo
  return Effect.gen(function* () {
    const endpoints = yield* repo.endpoints(yield* Clock.currentTimeMillis)
    const isHeard = endpoints.some(({ events }) => events.some((event) => event.startsWith("attention.")))
    if (isHeard) yield* repo.trackAttention(yield* Clock.currentTimeMillis)
  })
})

const makeTidying = Effect.gen(function* () {
  const repo = yield* WebhookRepo
  return Effect.gen(function* () {
    const { waiting, dueSinceMs } = yield* repo.tidy(yield* Clock.currentTimeMillis)
    yield* Metrics.backlogNow({ waiting, dueSinceMs })
  })
})

const spared = (work: Effect.Effect<void, { readonly message: string }>) =>
  Effect.catch(work, (error) => Log.warnOnce("webhooks", `⚠️ Webhooks are not served: ${error.message}`))

/** Delivers events to the endpoints, beside everything else: nothing waits for it. */
export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    yield* Metrics.attemptsBegan
    const delivering = yield* makeDelivering
    const tracking = yield* makeTracking
    const tidying = yield* makeTidying
    const name = "Delivering webhooks"
    yield* Effect.forkScoped(Background.repeated(name, AFTER_FAILURE, spared(Effect.forever(delivering))))
    yield* Effect.forkScoped(Background.repeated("Following attention", ATTENTION_EVERY, spared(tracking)))
    yield* Effect.forkScoped(Background.repeated("Tidying webhooks", TIDY_EVERY, spared(tidying)))
  })
)
