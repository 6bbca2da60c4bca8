import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import type { PaymentPayload, PaymentRequirements, SettleResponse } from "@x402/core/types"
import { ByteSize, Effect, Schema } from "effect"
import { HttpClient, HttpClientRequest, HttpClientResponse, HttpIncomingMessage } from "effect/http"

/** What the official packages take: the payment, and what is asked for it. */
export interface Message {
  readonly payload: PaymentPayload
  readonly requirements: PaymentRequirements
}

/** The part of a `SettleResponse` that is used. Source: x402 v2, "Facilitator interface", `POST /settle`. */
const Settled = Schema.Struct({
  success: Schema.Boolean,
  transaction: Schema.String,
  /** Left out, or null, where it succeeded. */
  errorReason: Schema.optional(Schema.NullOr(Schema.String))
})

const ANSWER_MAX = ByteSize.kibibytes(64)

/**
 * Asks the server of `X402_FACILITATOR_URL` to settle. Not by `HTTPFacilitatorClient` of `@x402/core`, which follows
 * redirects: a payment would go to a host that no operator chose.
 */
export const askFacilitator = (url: string) =>
  Effect.fnUntraced(
    function* ({ payload, requirements }: Message) {
      const http = yield* HttpClient.HttpClient
      const answer = yield* HttpClientRequest.post(`${url}/settle`).pipe(
        HttpClientRequest.bodyJsonUnsafe({
          x402Version: 2,
          paymentPayload: payload,
          paymentRequirements: requirements
        }),
        http.execute
      )
      const { success, transaction, errorReason } = yield* HttpClientResponse.schemaBodyJson(Settled)(answer)
      const words = errorReason?.slice(0, 100)
      const { network } = requirements
      return { success, transaction, network, ...(words && { errorReason: words }) } satisfies SettleResponse
    },
    Effect.provideService(HttpIncomingMessage.MaxBodySize, ANSWER_MAX),
    // Of the clients only that of `node:http` keeps the limit of the body. It follows no redirect either.
    Effect.provide(NodeHttpClient.layerNodeHttp),
    Effect.mapError(({ message }) => message.slice(0, 200))
  )
