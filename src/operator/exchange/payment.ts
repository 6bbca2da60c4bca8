import { decodePaymentSignatureHeader } from "@x402/core/http"
import { Result, Schema } from "effect"
import type { PresentedPayment } from "../../chain/Facilitator.ts"
import { type Address, type Bytes32, parse, StoredAddress } from "../../domain/Address.ts"
import { usdc } from "../../domain/Usdc.ts"

/** Base units: 78 digits hold every uint256. */
const Digits = Schema.String.check(Schema.isPattern(/^\d{1,78}$/))

/** What is later than the year 30,000,000 is no time: a `number` holds these exactly. */
const Seconds = Schema.String.check(Schema.isPattern(/^\d{1,15}$/))

const Nonce = Schema.String.check(Schema.isPattern(/^0x[0-9a-fA-F]{64}$/))

/** An ordinary signature has 65 bytes, one of a wallet with passkeys some hundred. Node takes no header that holds more. */
const Signature = Schema.String.check(Schema.isPattern(/^0x(?:[0-9a-fA-F]{2}){0,4096}$/))

const Text = Schema.String.check(Schema.isMaxLength(200))

/**
 * A payment as an x402 client sends it. Of what the client repeats of the offer, only what it chose there is read: an
 * extension of another program must not keep a sound payment out.
 * Source: x402 v2, `PaymentPayload`; scheme `exact` on EVM, EIP-3009.
 */
const Payload = Schema.Struct({
  x402Version: Schema.Literal(2),
  accepted: Schema.Struct({ scheme: Text, network: Text, asset: Text, payTo: Text, amount: Digits }),
  payload: Schema.Struct({
    signature: Signature,
    authorization: Schema.Struct({
      from: StoredAddress,
      to: StoredAddress,
      value: Digits,
      validAfter: Seconds,
      validBefore: Seconds,
      nonce: Nonce
    })
  })
})

const decode = Schema.decodeUnknownResult(Payload)

/** The extension in which a client gives its payment a name of its own. */
export const PAYMENT_IDENTIFIER = "payment-identifier"

/** Source: `@x402/extensions`, `payment-identifier`. */
export const IDENTIFIER = { minLength: 16, maxLength: 128, pattern: "^[a-zA-Z0-9_-]+$" } as const

const Identifier = Schema.String.check(
  Schema.isPattern(/^[a-zA-Z0-9_-]{16,128}$/, {
    message: "expected a payment identifier: 16 to 128 letters, digits, hyphens and underscores"
  })
)

/** Clients send back what the 402 declares, with or without a name in it. */
const Extensions = Schema.Struct({
  extensions: Schema.optional(
    Schema.NullOr(
      Schema.Struct({
        [PAYMENT_IDENTIFIER]: Schema.optional(
          Schema.Struct({ info: Schema.Struct({ id: Schema.optional(Identifier) }) })
        )
      })
    )
  )
})

const decodeExtensions = Schema.decodeUnknownResult(Extensions)

/** A payment, and the offer that its client says that it takes. */
export interface Presented {
  readonly payment: PresentedPayment
  /** The client's own name of it. */
  readonly identifier: string | undefined
  readonly accepted: {
    readonly scheme: string
    readonly network: string
    /** `undefined` where the client names what is no address. */
    readonly asset: Address | undefined
    readonly payTo: Address | undefined
    readonly amount: bigint
  }
}

/** What a `PAYMENT-SIGNATURE` header holds, or why it cannot be read. */
export const readPayment = (header: string): Result.Result<Presented, string> =>
  Result.try({
    try: (): unknown => decodePaymentSignatureHeader(header),
    catch: () => "it is no base64 of JSON"
  }).pipe(
    Result.flatMap((value) => Result.mapError(bothOf(value), ({ message }) => message.slice(0, 300))),
    Result.map(
      ([
        {
          accepted,
          payload: { signature, authorization }
        },
        { extensions }
      ]) => ({
        identifier: extensions?.[PAYMENT_IDENTIFIER]?.info.id,
        payment: {
          from: authorization.from,
          to: authorization.to,
          value: usdc(BigInt(authorization.value)),
          validAfter: Number(authorization.validAfter),
          validBefore: Number(authorization.validBefore),
          nonce: authorization.nonce.toLowerCase() as Bytes32,
          signature: signature.toLowerCase() as `0x${string}`
        },
        accepted: {
          scheme: accepted.scheme,
          network: accepted.network,
          asset: parse(accepted.asset),
          payTo: parse(accepted.payTo),
          amount: BigInt(accepted.amount)
        }
      })
    )
  )

const bothOf = (value: unknown) =>
  Result.flatMap(decode(value), (payload) =>
    Result.map(decodeExtensions(value), (declared) => [payload, declared] as const)
  )
