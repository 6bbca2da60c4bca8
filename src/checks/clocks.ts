import { duration } from "../domain/time.ts"
import { type Finding, sayerOf } from "./Finding.ts"

const say = sayerOf("chain")

/** More than this is told. Looks at chain and database are seconds apart, and a block may be some seconds old. */
const DIFFERENCE_TOLD_MS = 30_000

/**
 * Whether the clocks of database and chain agree: orders get their time from the one, deposits from the other. Each by
 * its difference from this machine's, in milliseconds; nothing where one of them is not known. Pure.
 */
export const clocksFinding = (
  databaseAheadMs: number | undefined,
  chainBehindMs: number | undefined
): ReadonlyArray<Finding> => {
  if (databaseAheadMs === undefined || chainBehindMs === undefined) return []
  const what = "clocks"
  const apartMs = databaseAheadMs + chainBehindMs
  if (Math.abs(apartMs) <= DIFFERENCE_TOLD_MS) {
    return [say.ok({ what, detail: "those of chain, database and this machine agree" })]
  }
  const detail = `the database's is ${duration(Math.abs(apartMs))} ${apartMs > 0 ? "ahead of" : "behind"} the chain's`
  const remedy =
    "Nothing is lost by it. Have the machine of the database keep time (NTP): timedatectl, chronyc tracking."
  return [say.warn({ what, detail, remedy })]
}
