import { Schema } from "effect"

/**
 * An amount of USDC in base units (6 decimals): 1 USDC is `1_000_000n`. Never negative, never a float.
 * Source of the decimals: Circle's FiatTokenV2_2, `decimals() = 6`.
 */
export const Usdc = Schema.BigInt.check(Schema.isGreaterThanOrEqualToBigInt(0n)).pipe(Schema.brand("Usdc"))
export type Usdc = typeof Usdc.Type

const BASE_UNITS = 1_000_000n

export const usdc = (baseUnits: bigint): Usdc => Usdc.make(baseUnits)

export const zero = usdc(0n)

export const sum = (amounts: Iterable<Usdc>): Usdc => {
  let total = 0n
  for (const amount of amounts) total += amount
  return usdc(total)
}

/** `a - b`, and zero where `b` is the larger: what is left cannot be less than nothing. */
export const minus = (a: Usdc, b: Usdc): Usdc => usdc(a > b ? a - b : 0n)

export const times = (price: Usdc, count: number): Usdc => usdc(price * BigInt(count))

/** For people: at least two decimals, and never fewer than the amount has (`5.00`, `0.000001`). */
export const format = (amount: bigint): string => {
  const sign = amount < 0n ? "-" : ""
  const units = amount < 0n ? -amount : amount
  const fraction = (units % BASE_UNITS)
    .toString()
    .padStart(6, "0")
    .replace(/0{1,4}$/, "")
  return `${sign}${units / BASE_UNITS}.${fraction}`
}
