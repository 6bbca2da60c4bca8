import { Effect, Layer } from "effect"
import { type MintProtocol, Settings } from "../config/Settings.ts"
import type { RequestKind } from "../domain/RequestLimit.ts"
import { requestsBegan, measureMinter } from "./metrics.ts"
import { Minter } from "./Minter.ts"
import * as MinterV1 from "./MinterV1.ts"
import * as MinterX402 from "./MinterX402.ts"

/** Each protocol, and of what it asks the server: a quote of v1.1 is our own sum, and x402 has nothing to follow. */
const protocols = {
  x402: { layer: MinterX402.layer, asks: ["quote", "pay"] },
  v1: { layer: MinterV1.layer, asks: ["pay", "follow"] }
} satisfies Record<MintProtocol, { readonly layer: unknown; readonly asks: ReadonlyArray<RequestKind> }>

/** The mint server, in the protocol that `MINT_PROTOCOL` names. */
export const layer: Layer.Layer<Minter, never, Settings> = Layer.unwrap(
  Effect.map(Settings, ({ mintProtocol }) => {
    const { layer, asks } = protocols[mintProtocol]
    const watched = Effect.map(Effect.andThen(requestsBegan(asks), Minter), (minter) => measureMinter(minter, asks))
    return Layer.effect(Minter, watched).pipe(Layer.provide(layer))
  })
)
