import { Clock, Effect, Layer } from "effect"
import { type HttpClient, HttpClientRequest } from "effect/http"
import type { Settings } from "../config/Settings.ts"
import { didOf, readPaymentAnswer, readQuoteAnswer } from "./answer.ts"
import { type Header, paymentHeader } from "./challenge.ts"
import { withoutEcho } from "./echo.ts"
import { answerOfFailure, nodeHttpClient, makeAsk, makePing, strained } from "./http.ts"
import { Minter, type MintOrder, NoOffer } from "./Minter.ts"
import { cutReason, strainOf, unclear } from "./reply.ts"

const make = Effect.gen(function* () {
  const ask = yield* makeAsk

  const post = (order: MintOrder, payment?: Header) =>
    HttpClientRequest.post(`/api/mint/${order.token}`).pipe(
      HttpClientRequest.setHeaders(payment === undefined ? {} : { [payment.name]: payment.value }),
      HttpClientRequest.bodyJsonUnsafe({ recipient: order.recipient, quantity: order.quantity }),
      ask
    )

  return Minter.of({
    takesAgain: true,
    asksForPrice: true,
    ping: makePing(ask),
    follow: () => Effect.succeed(undefined),
    quote: Effect.fn("Minter.quote")(function* (order) {
      const reply = yield* post(order).pipe(
        Effect.mapError(({ message, isSent }) => {
          return new NoOffer({
            reason: "Unavailable",
            message: cutReason(message),
            did: isSent ? "unknown" : "nothing",
            trouble: "NoAnswer"
          })
        })
      )
      const nowMs = yield* Clock.currentTimeMillis
      return yield* Effect.fromResult(readQuoteAnswer(reply)).pipe(
        Effect.mapError(({ reason, message }) => {
          return new NoOffer({ reason, message, did: didOf(reply), ...strainOf(reply, nowMs) })
        })
      )
    }),
    pay: Effect.fn("Minter.pay")(
      function* (order, quote, offer, payment) {
        const header = paymentHeader(quote, offer, payment)
        if (header === undefined) return unclear("the quote has no such offer, nothing was sent")
        const reply = yield* post(order, header)
        const answer = withoutEcho(readPaymentAnswer(reply), [payment.signature.slice(2), header.value])
        return yield* strained(answer, reply)
      },
      // An interrupted fiber does not get here: an interruption in the cause leaked from the client.
      Effect.catchCause((cause) => Effect.succeed(answerOfFailure(cause)))
    )
  })
})

/** The mint server over x402: v2, and v1 where the server speaks that. */
export const layerNoDeps: Layer.Layer<Minter, never, Settings | HttpClient.HttpClient> = Layer.effect(Minter, make)

export const layer: Layer.Layer<Minter, never, Settings> = layerNoDeps.pipe(Layer.provide(nodeHttpClient))
