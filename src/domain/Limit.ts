import type { Address } from "./Address.ts"
import type { Batch } from "./Batch.ts"
import type { KeyId } from "./Key.ts"
import { minus, type Usdc, zero } from "./Usdc.ts"

/** A limit is for any 24 hours: what was signed counts for so long, and not until midnight. */
export const LIMIT_WINDOW_MS = 86_400_000

/** Which payments a limit covers: all, those to one token, those for orders of one person, or those for orders of one key. */
export type LimitScope = "all" | `token:${Address}` | `user:${Address}` | `key:${KeyId}`

/** The most USDC that may be signed for payments in any 24 hours. Refunds send a person's own money back, and do not count. */
export interface Limit {
  readonly scope: LimitScope
  readonly perDay: Usdc
  /** Why it was set, in the words of who did. */
  readonly reason: string
  readonly sinceMs: number
}

/** USDC that counts no longer from a moment on. */
export interface Freed {
  readonly atMs: number
  readonly amount: Usdc
}

/** What of a limit is used. */
export interface LimitUse extends Pick<Limit, "scope" | "perDay"> {
  /** Signed within the last 24 hours and not proven void. */
  readonly used: Usdc
  /** What comes free, in order of time: at least as much as the batch lacks that it was read for, where that ever fits. */
  readonly frees: ReadonlyArray<Freed>
}

/** A limit as people look at it. */
export type LimitState = Limit & Pick<LimitUse, "used">

/** The limits that a payment of this batch counts against, where they are set. */
export const limitScopesOf = ({
  token,
  recipient,
  keyId
}: Pick<Batch, "token" | "recipient" | "keyId">): ReadonlyArray<LimitScope> => [
  "all",
  `token:${token}`,
  `user:${recipient}`,
  ...(keyId === undefined ? [] : [`key:${keyId}` as const])
]

/** `all payments`, `token 0x…`, `user 0x…`, `key …`. */
export const limitName = (scope: LimitScope): string => (scope === "all" ? "all payments" : scope.replace(":", " "))

/** The same as it is typed behind `limits set`: ` --token 0x…`, or nothing for all payments. */
export const limitFlags = (scope: LimitScope): string => (scope === "all" ? "" : ` --${scope.replace(":", " ")}`)

/** What a batch counts for against the limits at this time. */
export const countsFor = ({ signedAtMs, window, paidAmount }: Batch, nowMs: number): Usdc =>
  signedAtMs !== undefined && signedAtMs > nowMs - LIMIT_WINDOW_MS ? (window?.amount ?? paidAmount ?? zero) : zero

/** A limit that does not let a batch be paid now. */
export interface LimitReached extends Pick<LimitUse, "scope" | "perDay" | "used"> {
  /** What the batch may cost. */
  readonly amount: Usdc
  /** When enough of it comes free, if nothing else is signed until then; `undefined` where the batch alone is more. */
  readonly freeAtMs: number | undefined
}

/** The limit for which a batch has to wait longest, or `undefined` where all have room for it. */
export const limitReached = (limits: ReadonlyArray<LimitUse>, batch: Batch): LimitReached | undefined => {
  const scopes = limitScopesOf(batch)
  const { amount } = batch
  const reached = limits
    .filter(({ scope, perDay, used }) => scopes.includes(scope) && used + amount > perDay)
    .map((limit): LimitReached => {
      const { scope, perDay, used } = limit
      return { scope, perDay, used, amount, freeAtMs: amount > perDay ? undefined : freeAtMs(limit, amount) }
    })
  return reached.toSorted((a, b) => waitOf(b) - waitOf(a))[0]
}

const waitOf = ({ freeAtMs }: LimitReached): number => freeAtMs ?? Number.POSITIVE_INFINITY

const freeAtMs = ({ perDay, used, frees }: LimitUse, amount: Usdc): number | undefined => {
  let left = used
  for (const free of frees) {
    left = minus(left, free.amount)
    if (left + amount <= perDay) return free.atMs
  }
  return frees.at(-1)?.atMs
}
