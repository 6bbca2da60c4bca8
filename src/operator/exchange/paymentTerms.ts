import { encodePaymentRequiredHeader } from "@x402/core/http"
import { Duration } from "effect"
import type { SettingsShape } from "../../config/Settings.ts"
import type { Address } from "../../domain/Address.ts"
import { chainName } from "../../domain/Offer.ts"
import { PRICE_MAX } from "../../domain/Quote.ts"
import { format, times, type Usdc, usdc } from "../../domain/Usdc.ts"
import type { Wallet } from "../../domain/Wallet.ts"
import { IDENTIFIER, PAYMENT_IDENTIFIER, type Presented } from "./payment.ts"

/** What an order of a person costs now, and where it is paid. */
export interface PaymentTerms {
  readonly wallet: Wallet
  readonly token: Address
  readonly quantity: number
  /** What the mint server asks now. */
  readonly pricePerMint: Usdc
}

/** A client that has to ask a person signs within this. */
const WINDOW_MAX_SECONDS = 300

/** Facilitators refuse what lapses within 6 s. */
const WINDOW_MIN_SECONDS = 10

/** For how long a payment may be signed: half of the time that its order has, so that it is settled well within it. */
const windowSeconds = ({ paymentTimeout }: SettingsShape): number => {
  const half = Math.floor(Duration.toSeconds(paymentTimeout) / 2)
  return Math.min(WINDOW_MAX_SECONDS, Math.max(WINDOW_MIN_SECONDS, half))
}

/** The clocks of clients are not ours. */
const CLOCK_SECONDS = 60

const networkOf = ({ network }: SettingsShape) => chainName(network.chainId)

/**
 * The value of a `PAYMENT-REQUIRED` header. `error` is what was wrong with the payment that is answered. The flow `upfront`
 * says that the payment is settled before the order is carried out.
 * Source: x402 v2, `PaymentRequired`; scheme `exact` on EVM.
 */
export const paymentRequired = (
  settings: SettingsShape,
  { wallet, quantity, token, pricePerMint }: PaymentTerms,
  { url, error }: { readonly url: string; readonly error: string }
): string =>
  encodePaymentRequiredHeader({
    x402Version: 2,
    error,
    resource: {
      url,
      description: `${quantity} mints of ${token} for ${wallet.userAddress}`,
      mimeType: "application/json"
    },
    accepts: [
      {
        scheme: "exact",
        network: networkOf(settings),
        asset: settings.network.usdc.address,
        amount: String(times(pricePerMint, quantity)),
        payTo: wallet.agentAddress,
        maxTimeoutSeconds: windowSeconds(settings),
        extra: {
          name: settings.network.usdc.name,
          version: settings.network.usdc.version,
          paymentFlow: "upfront"
        }
      }
    ],
    extensions: { [PAYMENT_IDENTIFIER]: { info: { required: false }, schema: IDENTIFIER_SCHEMA } }
  })

/** What a client may add to `info`. Source: `@x402/extensions`, `paymentIdentifierSchema`. */
const IDENTIFIER_SCHEMA = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  properties: { required: { type: "boolean" }, id: { type: "string", ...IDENTIFIER } },
  required: ["required"]
}

/** Why a payment is not taken: the price has risen, or it is not what was asked for. */
export interface Misfit {
  readonly code: "price_changed" | "payment_refused"
  readonly reason: string
}

/** What keeps a payment from being for an order on these terms; `undefined` where nothing does. */
export const misfitOf = (
  settings: SettingsShape,
  { payment, accepted }: Presented,
  terms: PaymentTerms,
  nowMs: number
): Misfit | undefined => {
  const asked = times(terms.pricePerMint, terms.quantity)
  const price = priceOf(payment.value, terms.quantity)
  if (price !== undefined && payment.value < asked) {
    const reason = `the mint server asks ${format(asked)} USDC by now, and ${format(payment.value)} are signed for`
    return { code: "price_changed", reason }
  }
  const { usdc: contract } = settings.network
  const payTo = terms.wallet.agentAddress
  const faults = [
    accepted.scheme !== "exact" && "its scheme is not exact",
    accepted.network !== networkOf(settings) && `it is for another network than ${networkOf(settings)}`,
    accepted.asset !== contract.address && `it is in another asset than USDC (${contract.address})`,
    (accepted.payTo !== payTo || payment.to !== payTo) && `it does not go to the person's agent wallet ${payTo}`,
    accepted.amount !== payment.value && "the amount that is signed for is not the one that is accepted",
    price === undefined && `its amount is not ${terms.quantity} times a price of whole base units`,
    price !== undefined && price > PRICE_MAX && "it pays more than 1,000,000 USDC a mint",
    isTooLong(settings, payment.validBefore, nowMs) && `it is valid for more than ${windowSeconds(settings)} s from now`
  ]
  const fault = faults.find((words) => words !== false)
  return fault === undefined ? undefined : { code: "payment_refused", reason: fault }
}

/** The price of one mint in a payment; `undefined` where it is no whole number of base units, or nothing. */
export const priceOf = (amount: Usdc, quantity: number): Usdc | undefined =>
  amount > 0n && amount % BigInt(quantity) === 0n ? usdc(amount / BigInt(quantity)) : undefined

/** While it may be settled, its order cannot be cancelled: that must not be for ever. */
const isTooLong = (settings: SettingsShape, validBefore: number, nowMs: number): boolean =>
  validBefore > nowMs / 1000 + windowSeconds(settings) + CLOCK_SECONDS
