import { Schema } from "effect"
import { type Address, Uuid } from "./Address.ts"
import type { KeyId } from "./Key.ts"
import type { TaskId } from "./Task.ts"
import { type Usdc, usdc } from "./Usdc.ts"
import type { WalletId } from "./Wallet.ts"

/** `ai_agent_quotes.id`. */
export const QuoteId = Uuid.pipe(Schema.brand("QuoteId"))
export type QuoteId = typeof QuoteId.Type

/** The most that a mint may cost: what a `bigint` column holds is far more, and no price of a mint. */
export const PRICE_MAX = usdc(1_000_000_000_000n)

/** How long a price holds: an order is placed with it in that time, and paid within `PAYMENT_TIMEOUT` of that. */
export const QUOTE_MS = 5 * 60_000

/** Unused quotes of one key at a time. What asks for more asks for prices and orders nothing. */
export const QUOTES_MAX = 1_000

/** What was asked for an order that was not placed yet. It is good for one order, of the same key. */
export interface Quote {
  readonly id: QuoteId
  /** The key that asked; `undefined` for the operator. */
  readonly keyId: KeyId | undefined
  readonly walletId: WalletId
  readonly token: Address
  readonly quantity: number
  readonly pricePerMint: Usdc
  readonly createdAtMs: number
  readonly expiresAtMs: number
  /** The order that was placed with it. */
  readonly taskId: TaskId | undefined
}

/** Why no order is placed with a quote; `undefined` where one may be. */
export const quoteFault = (
  quote: Quote,
  asked: Pick<Quote, "walletId" | "token" | "quantity">,
  nowMs: number
): string | undefined => {
  const isSame = quote.walletId === asked.walletId && quote.token === asked.token && quote.quantity === asked.quantity
  if (!isSame) return "is for another order: it holds for the person, token and quantity that it was asked for"
  if (quote.taskId !== undefined) return `was used for order ${quote.taskId}: ask for another one`
  return nowMs >= quote.expiresAtMs ? "has expired: ask for another one" : undefined
}
