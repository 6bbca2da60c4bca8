import { Array as Arr } from "effect"
import type { Address, Bytes32 } from "../domain/Address.ts"
import type { Usdc } from "../domain/Usdc.ts"

/** A nonce that a payer used in a transaction: `AuthorizationUsed`. */
export interface Use {
  readonly nonce: Bytes32
  readonly logIndex: number
  /** What was signed with it, where that is known. */
  readonly expected?: Pick<Payment, "to" | "value"> | undefined
}

/** A transfer that the same payer made in the same transaction. */
export interface Payment {
  readonly to: Address
  readonly value: Usdc
  readonly logIndex: number
}

/**
 * Which transfer each nonce paid, of one payer in one transaction, all from one answer. EIP-3009 says that there are a
 * transfer and an event, not in which order, and a transaction may hold several of both. What was signed is found by its
 * content. The rest goes in the order of the events where there is one transfer for each; else by what stands next to
 * each: right behind it, as Circle's code logs it (EIP3009.sol, `_transferWithAuthorization`), or else right before it.
 */
export const pairUses = <P extends Payment>(
  uses: ReadonlyArray<Use>,
  payments: ReadonlyArray<P>
): ReadonlyMap<Bytes32, P> => {
  const pairs = new Map<Bytes32, P>()
  const inOrder = uses.toSorted(byIndex)
  const free = new Set(payments.toSorted(byIndex))
  const pair = (use: Use, payment: P) => {
    pairs.set(use.nonce, payment)
    free.delete(payment)
  }
  for (const use of inOrder) {
    const signed = [...free].filter(({ to, value }) => to === use.expected?.to && value === use.expected.value)
    const payment = signed.find(({ logIndex }) => logIndex > use.logIndex) ?? signed.at(-1)
    if (payment !== undefined && !pairs.has(use.nonce)) pair(use, payment)
  }
  const open = Arr.dedupeWith(inOrder, (one, other) => one.nonce === other.nonce).filter(
    ({ nonce }) => !pairs.has(nonce)
  )
  byPlace(open, [...free]).forEach((payment, index) => {
    const use = open[index]
    if (use !== undefined && payment !== undefined) pair(use, payment)
  })
  return pairs
}

const byIndex = (a: { readonly logIndex: number }, b: { readonly logIndex: number }): number => a.logIndex - b.logIndex

/** For each use its transfer; `undefined` where it is not certain. */
const byPlace = <P extends Payment>(
  uses: ReadonlyArray<Use>,
  payments: ReadonlyArray<P>
): ReadonlyArray<P | undefined> => {
  if (uses.length === payments.length) return payments
  const isBetween =
    (from = -1, to = Infinity) =>
    (payment: P) =>
      payment.logIndex > from && payment.logIndex < to
  const behind = uses.map((use, index) => payments.find(isBetween(use.logIndex, uses[index + 1]?.logIndex)))
  const before = uses.map((use, index) => payments.findLast(isBetween(uses[index - 1]?.logIndex, use.logIndex)))
  const isWhole = (pairs: ReadonlyArray<P | undefined>) => !pairs.includes(undefined)
  return isWhole(before) && !isWhole(behind) ? before : behind
}
