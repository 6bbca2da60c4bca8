import type { Batch } from "../../../src/domain/Batch.ts"
import type { Tables } from "../../support/memory/MemoryLedger.ts"
import type { Oracle } from "./Oracle.ts"

/** USDC that is signed for and may move, or has moved: no run is as long as a day, so all of it counts. */
const spentOn = ({ status, window, paidAmount }: Batch): bigint => {
  if (status === "signed" || status === "accepted" || status === "unknown") return window?.amount ?? 0n
  return status === "paid" || status === "delivered" ? (paidAmount ?? 0n) : 0n
}

const isUnder = (scope: string, { token, recipient }: Batch): boolean =>
  scope === "all" || scope === `token:${token}` || scope === `user:${recipient}`

/** I13: with what is signed now, no limit that was set is exceeded by what was signed and is not void. */
export const checkLimits = (oracle: Oracle, name: string, before: Tables, after: Tables, signed: Batch): void => {
  for (const { scope, perDay } of before.limits.values()) {
    if (!isUnder(scope, signed)) continue
    const covered = [...after.batches.values()].filter((batch) => isUnder(scope, batch))
    const sum = covered.reduce((total, batch) => total + spentOn(batch), 0n)
    if (sum > perDay) oracle.report("I13", `${name} is signed: with it ${sum} of ${scope}, whose limit is ${perDay}`)
  }
}
