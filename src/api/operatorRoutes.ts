import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Effect, Schedule, Semaphore, Stream } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { problemWords } from "../domain/ProblemCode.ts"
import { CurrentCaller } from "../operator/Caller.ts"
import { Operator, type OperatorError, type Unanswered } from "../operator/Operator.ts"
import { Api } from "./contract/Api.ts"
import { Conflict, NotFound, TooMany, Unavailable } from "./contract/problems.ts"
import { EventFeed, type FeedEvent } from "./feed.ts"
import { makeKeyEnd } from "./keyEnd.ts"

/** A decision's errors as problems. */
export const deciding = <A>(decision: Effect.Effect<A, OperatorError>) =>
  Effect.catchTags(decision, {
    Refused: ({ message: detail, isMissing, code = "refused" }) =>
      Effect.fail<NotFound | Conflict>(
        isMissing === true ? new NotFound({ detail }) : new Conflict({ detail, ...problemWords(code) })
      ),
    Unanswered: (error) => Effect.fail(unavailable(error))
  })

const unavailable = ({ message: detail, isInDoubt }: Unanswered): Unavailable =>
  new Unavailable({ detail, ...problemWords(isInDoubt === true ? "in_doubt" : "unavailable") })

/** A question's errors as problems: it is refused only where nothing has the name that was given. */
export const asking = <A>(question: Effect.Effect<A, OperatorError>) =>
  Effect.catchTags(question, {
    Refused: ({ message: detail }) => Effect.fail(new NotFound({ detail })),
    Unanswered: (error) => Effect.fail(unavailable(error))
  })

export const tasks = HttpApiBuilder.group(
  Api,
  "tasks",
  Effect.fnUntraced(function* (handlers) {
    const operator = yield* Operator
    return handlers.handleAll({
      list: ({ query }) => asking(operator.listTasks(query)),
      create: ({ payload }) => deciding(operator.create(payload)),
      show: ({ params }) => asking(operator.showTask(params.task)),
      explain: ({ params }) => asking(operator.explainTask(params.task)),
      proof: ({ params }) => deciding(operator.prove(params.task)),
      cancel: ({ params, payload }) => deciding(operator.cancel(params.task, payload)),
      retry: ({ params, payload }) => deciding(operator.retry(params.task, payload)),
      adopt: ({ params, payload }) => deciding(operator.adopt(params.task, payload)),
      resolve: ({ params, payload }) => deciding(operator.resolve(params.task, payload))
    })
  })
)

export const quotes = HttpApiBuilder.group(
  Api,
  "quotes",
  Effect.fnUntraced(function* (handlers) {
    const operator = yield* Operator
    return handlers.handleAll({ ask: ({ payload }) => deciding(operator.quote(payload)) })
  })
)

export const wallets = HttpApiBuilder.group(
  Api,
  "wallets",
  Effect.fnUntraced(function* (handlers) {
    const operator = yield* Operator
    return handlers.handleAll({
      open: ({ payload }) => deciding(operator.openWallet(payload)),
      show: ({ params }) => asking(operator.showWallet(params.wallet)),
      resolve: ({ params, payload }) => deciding(operator.reopen(params.wallet, payload)),
      refund: ({ params, payload }) => deciding(operator.refund(params.wallet, payload)),
      withdraw: ({ params, payload }) => deciding(operator.withdraw(params.wallet, payload))
    })
  })
)

export const keys = HttpApiBuilder.group(
  Api,
  "keys",
  Effect.fnUntraced(function* (handlers) {
    const operator = yield* Operator
    return handlers.handleAll({
      list: () => asking(operator.keys),
      create: ({ payload }) => deciding(operator.createKey(payload)),
      revoke: ({ params, payload }) => deciding(operator.revokeKey(params.key, payload))
    })
  })
)

export const webhooks = HttpApiBuilder.group(
  Api,
  "webhooks",
  Effect.fnUntraced(function* (handlers) {
    const operator = yield* Operator
    return handlers.handleAll({
      list: () => asking(operator.listWebhooks),
      add: ({ payload }) => deciding(operator.addWebhook(payload)),
      deliveries: ({ query }) => deciding(operator.listDeliveries(query)),
      redeliver: ({ params }) => deciding(operator.redeliver(params.delivery)),
      test: ({ params }) => deciding(operator.testWebhook(params.webhook)),
      rotate: ({ params }) => deciding(operator.rotateWebhook(params.webhook)),
      remove: ({ params }) => deciding(operator.removeWebhook(params.webhook))
    })
  })
)

/** Shows a listener that nothing happened, and keeps a proxy in between from closing the connection. */
const BEAT_EVERY = "10 seconds"

const BUSY = new TooMany({
  detail: "A reconciliation is under way: it asks the chain for everything. Wait for its end."
})

export const control = HttpApiBuilder.group(
  Api,
  "control",
  Effect.fnUntraced(function* (handlers) {
    const operator = yield* Operator
    const feed = yield* EventFeed
    const keyEnd = yield* makeKeyEnd
    const oneAtATime = yield* Semaphore.make(1)
    return handlers
      .handleAll({
        overview: () => asking(operator.status),
        reconcile: () =>
          oneAtATime
            .withPermitsIfAvailable(1)(deciding(operator.reconcile))
            .pipe(
              Effect.flatMap(Effect.fromOption),
              Effect.catchTags({ NoSuchElementError: () => Effect.fail(BUSY), NotFound: Effect.die })
            ),
        export: ({ query }) => Effect.map(deciding(operator.journal(query)), Stream.encodeText),
        pauses: () => asking(operator.pauses),
        pause: ({ payload }) => deciding(operator.pause(payload)),
        resume: ({ payload }) => deciding(operator.resume(payload)),
        limits: () => asking(operator.limits),
        setLimit: ({ payload }) => deciding(operator.setLimit(payload)),
        removeLimit: ({ payload }) => deciding(operator.removeLimit(payload))
      })
      .handleRaw(
        "events",
        Effect.fnUntraced(function* ({ headers, request }) {
          const lastId = headers["last-event-id"]
          const { socket } = NodeHttpServerRequest.toIncomingMessage(request)
          const { keyId } = yield* CurrentCaller
          const events = yield* Effect.catchTag(feed.listen(lastId, socket), "LedgerError", ({ message }) =>
            Effect.fail(new Unavailable({ detail: message }))
          )
          const whileOpen = keyId === undefined ? events : Stream.interruptWhen(events, keyEnd(keyId))
          return HttpServerResponse.stream(streamed(whileOpen, lastId), STREAM)
        })
      )
  })
)

/** A proxy must hand on what comes when it comes. */
const STREAM = { contentType: "text/event-stream", headers: { "x-accel-buffering": "no" } }

/**
 * The form of HTML, section 9.2. The first beat comes at once: a listener sees that the stream is open. An event that
 * is late is sent under the highest number so far, so that a listener who comes back with that gets nothing twice. Events
 * that come together are written together.
 */
const streamed = (events: Stream.Stream<FeedEvent>, lastId: number | undefined) => {
  const beats = Stream.fromSchedule(Schedule.spaced(BEAT_EVERY)).pipe(Stream.as(BEAT), (later) =>
    Stream.concat(Stream.succeed(BEAT), later)
  )
  const written = Stream.mapAccum(
    events,
    () => lastId ?? 0,
    (highest, event) => {
      const id = Math.max(highest, event.id)
      return [id, [`id: ${id}\nevent: ledger\ndata: ${event.json}\n\n`]]
    }
  ).pipe(Stream.mapArray(([first, ...others]) => [[first, ...others].join("")]))
  return Stream.encodeText(Stream.merge(written, beats, { haltStrategy: "left" }))
}

const BEAT = "event: beat\ndata: ok\n\n"
