import { Context, Duration, Effect, Layer, Redacted, Stream } from "effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import { Api } from "../../api/contract/Api.ts"
import { Authorization, OPERATOR_HEADER } from "../../api/contract/Authorization.ts"
import { opsUrl, Settings } from "../../config/Settings.ts"
import { operatorName } from "../../operator/Caller.ts"
import { Operator, type OperatorError, Unanswered } from "../../operator/Operator.ts"
import { httpClient } from "../../ops/fetch.ts"
import { osUser } from "../io.ts"
import { type Advice, type AskError, notAllowed, operatorErrorOf, type Place } from "./errors.ts"

/** The running executor, as its API's definition has it. */
export type Executor = HttpApiClient.ForApi<typeof Api>

/** How long an answer may take, and what else there is to do where none comes. */
export interface Terms extends Advice {
  readonly within: Duration.Input
  /** Whether something may have been done though there is no answer. */
  readonly changes: boolean
}

/** Reads the ledger. */
export const LOOK: Terms = { within: "15 seconds", orDirect: false, changes: false }

/** The same where it can be read without an executor. */
export const LOOK_OR_DIRECT: Terms = { ...LOOK, orDirect: true }

/** Goes through all the logs of the chain. */
export const AUDIT: Terms = { within: "2 minutes", orDirect: true, changes: false }

/** Reads the chain before it decides, and can be decided without an executor. */
export const DECIDE: Terms = { within: "2 minutes", orDirect: true, changes: true }

/** The same for what only the executor does. */
export const CHANGE: Terms = { within: "2 minutes", orDirect: false, changes: true }

/** Asks the running executor over HTTP. */
export class ExecutorClient extends Context.Service<
  ExecutorClient,
  {
    readonly ask: <A>(
      question: (executor: Executor) => Effect.Effect<A, AskError>,
      terms: Terms
    ) => Effect.Effect<A, OperatorError>
  }
>()("ai-mint-executor/cli/client/ExecutorClient") {
  /** At the place that the settings name. */
  static readonly layer = Layer.effect(
    ExecutorClient,
    Effect.gen(function* () {
      const place = yield* Settings
      if (place.opsPort === 0) return yield* nowhere
      return ExecutorClient.of({ ask: makeAsk(place) })
    })
  )
}

const nowhere = new Unanswered({
  reason: "Away",
  message: "OPS_PORT is 0, which is any port: set it to the one that the executor's log names (Page and API)."
})

export const makeAsk =
  (place: Place): ExecutorClient["Service"]["ask"] =>
  (question, terms) =>
    Effect.suspend(() => {
      let isSent = false
      const executor = makeExecutor(place, () => {
        isSent = true
      })
      return Effect.flatMap(executor, question).pipe(
        Effect.mapError((error) =>
          // The API's definition is the same on both sides: what it does not allow is not even sent.
          error._tag === "SchemaError" && !isSent ? notAllowed(error) : operatorErrorOf(error, place, terms)
        ),
        Effect.timeoutOrElse({ duration: terms.within, orElse: () => Effect.fail(late(place, terms)) })
      )
    })

/** `onAsk` runs before each request. */
const makeExecutor = (place: Place, onAsk: () => void): Effect.Effect<Executor> =>
  HttpApiClient.make(Api, {
    baseUrl: opsUrl(place),
    transformClient: (client) =>
      HttpClient.mapRequest(client, HttpClientRequest.setHeader(OPERATOR_HEADER, operatorName(osUser()))).pipe(
        HttpClient.tapRequest(() => Effect.sync(onAsk))
      )
  }).pipe(Effect.provide(Layer.merge(httpClient, withToken(place))))

const withToken = ({ opsToken }: Place) =>
  HttpApiMiddleware.layerClient(Authorization, ({ request, next }) =>
    next(opsToken === undefined ? request : HttpClientRequest.bearerToken(request, Redacted.value(opsToken)))
  )

const late = (place: Place, { within, changes }: Terms): Unanswered => {
  const patience = Duration.format(Duration.fromInputUnsafe(within))
  const rest = changes ? "It may still be done: look before you repeat it." : "It is busy, or stuck: its log says more."
  return new Unanswered({ reason: "Late", message: `No answer from ${opsUrl(place)} in ${patience}. ${rest}` })
}

/** An answer that goes on for as long as it is read. */
const textOf = <E>(bytes: Stream.Stream<Uint8Array, E>): Stream.Stream<string, Unanswered> =>
  bytes.pipe(
    Stream.decodeText(),
    Stream.mapError(
      () => new Unanswered({ reason: "Broken", message: "The answer was cut off: the executor's log may say why." })
    )
  )

/** Asks and decides through the running executor. */
export const operatorLayer = Layer.effect(
  Operator,
  Effect.map(ExecutorClient, ({ ask }) =>
    Operator.of({
      status: ask(({ control }) => control.overview(), LOOK_OR_DIRECT),
      listTasks: (query) => ask(({ tasks }) => tasks.list({ query }), LOOK_OR_DIRECT),
      showTask: (task) => ask(({ tasks }) => tasks.show({ params: { task } }), LOOK_OR_DIRECT),
      explainTask: (task) => ask(({ tasks }) => tasks.explain({ params: { task } }), LOOK_OR_DIRECT),
      prove: (task) => ask(({ tasks }) => tasks.proof({ params: { task } }), AUDIT),
      showWallet: (wallet) => ask(({ wallets }) => wallets.show({ params: { wallet } }), LOOK_OR_DIRECT),
      pauses: ask(({ control }) => control.pauses(), LOOK),
      limits: ask(({ control }) => control.limits(), LOOK),
      journal: (query) =>
        Effect.map(
          ask(({ control }) => control.export({ query }), AUDIT),
          textOf
        ),
      reconcile: ask(({ control }) => control.reconcile(), AUDIT),
      openWallet: (payload) => ask(({ wallets }) => wallets.open({ payload }), CHANGE),
      quote: (payload) => ask(({ quotes }) => quotes.ask({ payload }), CHANGE),
      create: (payload) => ask(({ tasks }) => tasks.create({ payload }), CHANGE),
      cancel: (task, payload) => ask(({ tasks }) => tasks.cancel({ params: { task }, payload }), DECIDE),
      retry: (task, payload) => ask(({ tasks }) => tasks.retry({ params: { task }, payload }), DECIDE),
      adopt: (task, payload) => ask(({ tasks }) => tasks.adopt({ params: { task }, payload }), DECIDE),
      resolve: (task, payload) => ask(({ tasks }) => tasks.resolve({ params: { task }, payload }), DECIDE),
      reopen: (wallet, payload) => ask(({ wallets }) => wallets.resolve({ params: { wallet }, payload }), DECIDE),
      refund: (wallet, payload) => ask(({ wallets }) => wallets.refund({ params: { wallet }, payload }), DECIDE),
      withdraw: (wallet, payload) => ask(({ wallets }) => wallets.withdraw({ params: { wallet }, payload }), DECIDE),
      pause: (payload) => ask(({ control }) => control.pause({ payload }), CHANGE),
      resume: (payload) => ask(({ control }) => control.resume({ payload }), CHANGE),
      setLimit: (payload) => ask(({ control }) => control.setLimit({ payload }), CHANGE),
      removeLimit: (payload) => ask(({ control }) => control.removeLimit({ payload }), CHANGE),
      keys: ask(({ keys }) => keys.list(), LOOK),
      createKey: (payload) => ask(({ keys }) => keys.create({ payload }), CHANGE),
      revokeKey: (key, payload) => ask(({ keys }) => keys.revoke({ params: { key }, payload }), CHANGE),
      addWebhook: (payload) => ask(({ webhooks }) => webhooks.add({ payload }), CHANGE),
      listWebhooks: ask(({ webhooks }) => webhooks.list(), LOOK),
      testWebhook: (webhook) => ask(({ webhooks }) => webhooks.test({ params: { webhook } }), CHANGE),
      rotateWebhook: (webhook) => ask(({ webhooks }) => webhooks.rotate({ params: { webhook } }), CHANGE),
      removeWebhook: (webhook) => ask(({ webhooks }) => webhooks.remove({ params: { webhook } }), CHANGE),
      listDeliveries: (query) => ask(({ webhooks }) => webhooks.deliveries({ query }), LOOK),
      redeliver: (delivery) => ask(({ webhooks }) => webhooks.redeliver({ params: { delivery } }), CHANGE)
    })
  )
)
