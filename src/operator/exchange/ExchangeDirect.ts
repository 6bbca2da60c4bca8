import { Effect, Layer } from "effect"
import { Facilitator } from "../../chain/Facilitator.ts"
import { Exchange } from "./Exchange.ts"
import { unavailable } from "../OperatorDirect.ts"
import { payOrder } from "./payOrder.ts"
import { services } from "../services.ts"

/** On the database and the chain, inside an executor. */
export const layer = Layer.effect(
  Exchange,
  Effect.gen(function* () {
    const on = { ...(yield* services), facilitator: yield* Facilitator }
    return Exchange.of({
      place: (request) =>
        Effect.catchTags(payOrder(on, request), {
          LedgerError: unavailable,
          ChainError: unavailable,
          NoOffer: unavailable
        })
    })
  })
)
