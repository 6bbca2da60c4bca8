import { Cause, Clock, Effect, Layer } from "effect"
import { type HttpClient, HttpClientRequest } from "effect/http"
import { Settings } from "../config/Settings.ts"
import type { SignedAuthorization } from "../domain/Authorization.ts"
import { isReference, readFollowed, readPaymentAnswerV1 } from "./answerV1.ts"
import { withoutEcho } from "./echo.ts"
import { answerOfFailure, nodeHttpClient, makeAsk, makePing, strained } from "./http.ts"
import { Minter, type MintOrder, NoWord } from "./Minter.ts"
import { offerV1 } from "./quoteV1.ts"
import { strainOf } from "./reply.ts"

const bodyOf = ({ recipient, quantity }: MintOrder, payment: SignedAuthorization) => {
  const { from, to, value, validAfter, validBefore, nonce, signature } = payment
  return {
    authorization: {
      from,
      to,
      value: String(value),
      validAfter: String(validAfter),
      validBefore: String(validBefore),
      nonce,
      signature
    },
    recipient,
    quantity
  }
}

const make = Effect.gen(function* () {
  const ask = yield* makeAsk
  const { network } = yield* Settings

  return Minter.of({
    // It ignores that it has seen a nonce before, and its clean-up after the revert may remove another order's mints.
    takesAgain: false,
    asksForPrice: false,
    ping: makePing(ask),
    quote: Effect.fn("Minter.quote")((order) => Effect.fromResult(offerV1(order, network))),
    pay: Effect.fn("Minter.pay")(
      function* (order, _quote, _offer, payment) {
        const request = HttpClientRequest.post(`/api/mint/${order.token}`).pipe(
          HttpClientRequest.bodyJsonUnsafe(bodyOf(order, payment))
        )
        const reply = yield* ask(request)
        return yield* strained(withoutEcho(readPaymentAnswerV1(reply), [payment.signature.slice(2)]), reply)
      },
      // An interrupted fiber does not get here: an interruption in the cause leaked from the client.
      Effect.catchCause((cause) => Effect.succeed(answerOfFailure(cause)))
    ),
    follow: Effect.fn("Minter.follow")(
      function* (reference) {
        if (!isReference(reference)) return undefined
        const asking = HttpClientRequest.get(`/api/payment/${encodeURIComponent(reference)}`)
        const reply = yield* Effect.mapError(
          ask(asking),
          () => new NoWord({ reason: "Unavailable", trouble: "NoAnswer" })
        )
        const { trouble, ...strain } = strainOf(reply, yield* Clock.currentTimeMillis)
        if (trouble !== undefined) return yield* new NoWord({ reason: "Unavailable", trouble, ...strain })
        return readFollowed(reply, reference)
      },
      // The answer decides nothing, so a fault of ours must not stop the caller. Interruptions: as above.
      Effect.catchCause((cause) => (Cause.hasFails(cause) ? Effect.failCause(cause) : Effect.succeed(undefined)))
    )
  })
})

/**
 * The mint server of v1.1, in its own protocol: the payment is part of the order, there are no offers, and mints are
 * queued.
 */
export const layerNoDeps: Layer.Layer<Minter, never, Settings | HttpClient.HttpClient> = Layer.effect(Minter, make)

export const layer: Layer.Layer<Minter, never, Settings> = layerNoDeps.pipe(Layer.provide(nodeHttpClient))
