import { Duration, Effect, Context, Layer } from "effect"
import { local } from "../../src/config/Network.ts"
import { Settings, type SettingsShape } from "../../src/config/Settings.ts"
import { address } from "../../src/domain/Address.ts"
import type { SignedAuthorization } from "../../src/domain/Authorization.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { Minter, type PricedOrder } from "../../src/mint/Minter.ts"
import * as MinterX402 from "../../src/mint/MinterX402.ts"
import type { Reply } from "../../src/mint/reply.ts"

export const token = address(`0x${"70".repeat(20)}`)
export const asset = address(`0x${"a5".repeat(20)}`)
export const payer = address(`0x${"9a".repeat(20)}`)

export const order: PricedOrder = {
  token,
  recipient: address(`0x${"4e".repeat(20)}`),
  quantity: 10,
  amount: usdc(10_000_000n)
}

export const hash = (byte: string): `0x${string}` => `0x${byte.repeat(32)}`

export const payment: SignedAuthorization = {
  from: payer,
  to: token,
  value: usdc(10_000_000n),
  validAfter: 1_761_973_000,
  validBefore: 1_761_973_300,
  nonce: hash("c0"),
  signature: `0x${"1d".repeat(32)}${"2e".repeat(32)}1c`
}

/** One entry of `accepts`, x402 v2. */
export const entryV2 = {
  scheme: "exact",
  network: "eip155:31337",
  asset,
  amount: "10000000",
  payTo: token,
  maxTimeoutSeconds: 300,
  extra: { name: "USDC", version: "2", note: { deep: [1, null, "ü"] } }
}

export const challengeV2 = {
  x402Version: 2,
  error: "Payment required",
  resource: { url: "http://mint.test/api/mint/x", description: "ten mints", mimeType: "application/json" },
  accepts: [entryV2],
  extensions: { loyalty: { info: { card: 7 } } }
}

/** One entry of `accepts`, x402 v1. */
export const entryV1 = {
  scheme: "exact",
  network: "base-sepolia",
  asset,
  maxAmountRequired: "10000000",
  payTo: token,
  resource: "http://mint.test/api/mint/x",
  description: "ten mints",
  mimeType: "application/json",
  maxTimeoutSeconds: 60,
  extra: { name: "USDC", version: "2" }
}

export const challengeV1 = { x402Version: 1, error: "X-PAYMENT header is required", accepts: [entryV1] }

export const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64")
export const fromBase64 = (text: string): unknown => JSON.parse(Buffer.from(text, "base64").toString("utf8"))

/** Text is sent as text, everything else as JSON. */
export const reply = (status: number, headers: Reply["headers"] = {}, body: unknown = {}): Reply => ({
  status,
  headers: { "content-type": typeof body === "string" ? "text/plain" : "application/json", ...headers },
  body: typeof body === "string" ? body : JSON.stringify(body)
})

/** A refusal in JSON. */
export const says = (status: number, error: string, message?: string): Reply =>
  reply(status, {}, message === undefined ? { error } : { error, message })

export const settings = (
  serverUrl: string | undefined,
  mintProtocol: SettingsShape["mintProtocol"] = "x402"
): Layer.Layer<Settings> =>
  Layer.succeed(Settings, {
    network: local,
    serverUrl,
    mintProtocol,
    mintTimeout: Duration.seconds(60)
    // What the minter has no business with is not there.
  } as SettingsShape)

/** The production layer, `node:http` and all, against the server at `url`. */
export const minterAt = (url: string, layer = MinterX402.layer) =>
  Layer.build(layer.pipe(Layer.provide(settings(url)))).pipe(Effect.map(Context.get(Minter)))
