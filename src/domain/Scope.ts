/** What a key may be allowed to do. */
export const SCOPES = [
  /** Sees orders, wallets and what happens to them. */
  "orders:read",
  /** Places orders: quotes, agent wallets and payments with them. */
  "orders:create",
  /** Cancels orders that are not paid. */
  "orders:cancel",
  /** Decides about orders and the executor: retry, adopt, resolve, pause, limits. */
  "operate",
  /** Sends money back to the person it came from. */
  "refunds",
  /** Adds and removes webhooks, and sees their deliveries. */
  "webhooks",
  /** Compares the books with the chain, exports them, and proves orders. */
  "audit"
] as const
export type Scope = (typeof SCOPES)[number]

/** What a route or a tool asks of its caller. `root`: it makes keys, and no key may do that. */
export type Permission = Scope | "root"
