import { Effect, Layer } from "effect"
import { Settings } from "../config/Settings.ts"
import type { Minter } from "./Minter.ts"
import * as MinterV1 from "./MinterV1.ts"
import * as MinterX402 from "./MinterX402.ts"

const layers = { x402: MinterX402.layer, v1: MinterV1.layer }

/** The mint server, in the protocol that `MINT_PROTOCOL` names. */
export const layer: Layer.Layer<Minter, never, Settings> = Layer.unwrap(
  Effect.map(Settings, ({ mintProtocol }) => layers[mintProtocol])
)
