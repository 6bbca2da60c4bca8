import { Result } from "effect"
import type { NetworkShape } from "../config/Network.ts"
import { V1_QUANTITY_MAX } from "../config/Settings.ts"
import { chainName } from "../domain/Offer.ts"
import { format, times, type Usdc, usdc } from "../domain/Usdc.ts"
import { type MintQuote, NoOffer, type PricedOrder } from "./Minter.ts"

/**
 * What the server demands for one mint, to the unit: it has the price as a text such as `8.2 USDC` and multiplies the
 * number in it as a float, which makes 8199999 units of 8.2. Never above the price.
 */
export const demandedPrice = (price: Usdc): Usdc => {
  // `format` may add zeros at the end: they are the same float.
  const units = BigInt(Math.floor(Number.parseFloat(format(price)) * 1e6))
  return units < price ? usdc(units) : price
}

const refuse = (message: string) => Result.fail(new NoOffer({ reason: "Refused", message }))

/**
 * The offer that a v1.1 server would make, if it made offers: it is asked nothing. It is paid at the token's own
 * address, in USDC, and does not say how long it may take.
 */
export const offerV1 = (
  { token, quantity, amount }: PricedOrder,
  { chainId, usdc: { address: asset } }: NetworkShape
): Result.Result<MintQuote, NoOffer> => {
  if (quantity > V1_QUANTITY_MAX)
    return refuse(
      `the mint server sells at most ${V1_QUANTITY_MAX} mints for one payment, not ${quantity}: ` +
        `set MAX_BATCH_SIZE to at most ${V1_QUANTITY_MAX}`
    )
  const count = BigInt(quantity)
  if (amount % count !== 0n)
    return refuse(`${format(amount)} USDC is no price for ${quantity} mints that cost the same`)
  const offer = {
    scheme: "exact",
    network: chainName(chainId),
    asset,
    payTo: token,
    amount: times(demandedPrice(usdc(amount / count)), quantity),
    maxTimeoutSeconds: undefined
  }
  return Result.succeed({ offers: [offer], challenge: undefined })
}
