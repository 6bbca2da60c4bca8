import { Schema } from "effect"
import { WalletId } from "./Wallet.ts"

/**
 * Several executors divide the wallets among them by parts, each of which has one owner. Wallets are spread over the parts
 * by the first byte of their id: ids of version 4 are drawn at random, and what has the same first byte is next to each
 * other in every index by wallet.
 */
export const PARTS = 32

const FIRST_BYTES = 256 / PARTS

/** From 0 to `PARTS - 1`. */
export type Part = number

export const ALL_PARTS: ReadonlyArray<Part> = Array.from({ length: PARTS }, (_, part) => part)

/** The part that a wallet belongs to. */
export const partOf = (walletId: WalletId): Part => Math.floor(Number.parseInt(walletId.slice(0, 2), 16) / FIRST_BYTES)

/** Wallets by their ids, both ends included. */
export interface WalletRange {
  readonly first: WalletId
  readonly last: WalletId
}

const uuid = Schema.decodeSync(WalletId)

const hexByte = (byte: number): string => byte.toString(16).padStart(2, "0")

const firstOf = (part: Part): WalletId => uuid(`${hexByte(part * FIRST_BYTES)}000000-0000-0000-0000-000000000000`)

const lastOf = (part: Part): WalletId =>
  uuid(`${hexByte((part + 1) * FIRST_BYTES - 1)}ffffff-ffff-ffff-ffff-ffffffffffff`)

/** First and last of those that follow each other without a gap. */
const runsOf = (parts: Iterable<Part>): ReadonlyArray<readonly [Part, Part]> => {
  const owned = new Set(parts)
  const starts = ALL_PARTS.filter((part) => owned.has(part) && !owned.has(part - 1))
  const ends = ALL_PARTS.filter((part) => owned.has(part) && !owned.has(part + 1))
  return starts.map((start, index) => [start, ends[index] ?? start])
}

/** The wallets of these parts in as few ranges as possible, in the order of ids. */
export const rangesOf = (parts: Iterable<Part>): ReadonlyArray<WalletRange> =>
  runsOf(parts).map(([start, end]) => ({ first: firstOf(start), last: lastOf(end) }))

/** One range with every wallet. */
export const EVERY_WALLET: ReadonlyArray<WalletRange> = rangesOf(ALL_PARTS)

/** `0-7, 12`: parts as people read them. */
export const partsInWords = (parts: Iterable<Part>): string =>
  runsOf(parts)
    .map(([start, end]) => (start === end ? `${start}` : `${start}-${end}`))
    .join(", ")
