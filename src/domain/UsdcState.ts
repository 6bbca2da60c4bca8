import type { Address } from "./Address.ts"

/** What Circle can do to USDC: stop all transfers, or those from and to one account (`Pausable`, `Blacklistable`). */
export interface UsdcState {
  readonly isPaused: boolean
  /** Of the accounts that were asked about. */
  readonly blacklisted: ReadonlySet<Address>
}

/**
 * Why a transfer cannot be made now, with any signature. A pause concerns every account and passes; a blacklisted account is a
 * matter for a person.
 */
export type Standstill =
  | { readonly _tag: "Paused"; readonly reason: string }
  | { readonly _tag: "Payer"; readonly reason: string }
  | { readonly _tag: "Payee"; readonly reason: string }

export const USDC_PAUSED = "USDC is paused by its issuer: nothing can be paid until it moves again"

/** Without `payee`: what keeps the payer from paying any account. */
export const standstillOf = (
  { isPaused, blacklisted }: UsdcState,
  { payer, payee }: { readonly payer: Address; readonly payee?: Address }
): Standstill | undefined => {
  if (isPaused) return { _tag: "Paused", reason: USDC_PAUSED }
  if (blacklisted.has(payer))
    return { _tag: "Payer", reason: `the agent wallet ${payer} is on USDC's blacklist: it can neither pay nor be paid` }
  if (payee !== undefined && blacklisted.has(payee))
    return { _tag: "Payee", reason: `${payee} is on USDC's blacklist: it cannot be paid` }
  return undefined
}
