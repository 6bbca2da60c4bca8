import { decodePaymentSignatureHeader } from "@x402/core/http"
import { Result, Schema } from "effect"
import { encodeAbiParameters, keccak256 } from "viem"
import { type Address, type Bytes32, parse, StoredAddress, ZERO } from "../domain/Address.ts"
import { type Usdc, usdc } from "../domain/Usdc.ts"
import type { MintOrder } from "../mint/Minter.ts"

/** Mints in one order at most: the default of `MAX_BATCH_SIZE`. */
export const QUANTITY_MAX = 10

/** What an order is settled by: the fields of an EIP-3009 authorization that matter here. */
export interface ReceivedPayment {
  readonly payer: Address
  readonly nonce: Bytes32
  readonly payTo: Address
  readonly amount: Usdc
}

/** USDC takes a nonce of a payer once, so this names a payment for ever. */
export const paymentKey = ({ payer, nonce }: Pick<ReceivedPayment, "payer" | "nonce">): string => `${payer}:${nonce}`

const Body = Schema.Struct({ recipient: Schema.Unknown, quantity: Schema.Unknown })
const isQuantity = Schema.is(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: QUANTITY_MAX })))

/** The order in a request's body; fails with what is wrong with it, in words. */
export const readOrder = (token: Address, body: unknown): Result.Result<MintOrder, string> => {
  if (!Schema.is(Body)(body)) return Result.fail('the body must be JSON: {"recipient": address, "quantity": number}')
  const recipient = typeof body.recipient === "string" ? parse(body.recipient) : undefined
  // A token refuses to mint to the zero address, and would say so only after the payment.
  if (recipient === undefined || recipient === ZERO) return Result.fail("recipient must be an address, and not zero")
  if (!isQuantity(body.quantity)) return Result.fail(`quantity must be a whole number from 1 to ${QUANTITY_MAX}`)
  return Result.succeed({ token, recipient, quantity: body.quantity })
}

export const isSameOrder = (a: MintOrder, b: MintOrder): boolean =>
  a.token === b.token && a.recipient === b.recipient && a.quantity === b.quantity

const decodePayload = Schema.decodeUnknownResult(
  Schema.Struct({
    authorization: Schema.Struct({
      from: StoredAddress,
      to: StoredAddress,
      value: Schema.String.check(Schema.isPattern(/^\d{1,78}$/)),
      nonce: Schema.String.check(Schema.isPattern(/^0x[0-9a-fA-F]{64}$/))
    }),
    // The official facilitator takes a payload that has it for a Permit2 payment, even where it has more fields.
    permit2Authorization: Schema.optionalKey(Schema.Never)
  })
)

/** The payment in an x402 payload of the scheme `exact`; fails where it holds no EIP-3009 authorization. */
export const readPayment = (payload: unknown): Result.Result<ReceivedPayment, string> =>
  decodePayload(payload).pipe(
    Result.map(({ authorization: { from, to, value, nonce } }) => ({
      payer: from,
      nonce: nonce.toLowerCase() as Bytes32,
      payTo: to,
      amount: usdc(BigInt(value))
    })),
    Result.mapError(() => "the payment holds no EIP-3009 authorization")
  )

/** The payment in a `PAYMENT-SIGNATURE` header. */
export const readPaymentHeader = (header: string): Result.Result<ReceivedPayment, string> =>
  Result.try({
    try: (): unknown => decodePaymentSignatureHeader(header).payload,
    catch: () => "the PAYMENT-SIGNATURE header cannot be read"
  }).pipe(Result.flatMap(readPayment))

const ID_FIELDS = [{ type: "address" }, { type: "bytes32" }, { type: "uint256" }] as const

/**
 * The ids that a payment's mints have, in order: always the same ones, and the token mints an id once. So a
 * repetition, after any failure, mints only what is missing.
 */
export const mintIds = (
  { payer, nonce }: Pick<ReceivedPayment, "payer" | "nonce">,
  quantity: number
): ReadonlyArray<Bytes32> =>
  Array.from({ length: quantity }, (_, index) =>
    keccak256(encodeAbiParameters(ID_FIELDS, [payer, nonce, BigInt(index)]))
  )
