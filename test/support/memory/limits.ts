import type { Batch } from "../../../src/domain/Batch.ts"
import { countsFor, LIMIT_WINDOW_MS, type LimitScope, limitScopesOf, type LimitUse } from "../../../src/domain/Limit.ts"
import { sum, zero } from "../../../src/domain/Usdc.ts"
import type { Tables } from "./MemoryLedger.ts"

/** Batches that count against a limit now, in the order in which they were signed. */
const signedUnder = (tables: Tables, scope: LimitScope, nowMs: number): ReadonlyArray<Batch> =>
  [...tables.batches.values()]
    .filter((batch) => limitScopesOf(batch).includes(scope) && countsFor(batch, nowMs) > 0n)
    .toSorted((a, b) => (a.signedAtMs ?? 0) - (b.signedAtMs ?? 0))

export const usedOf = (tables: Tables, scope: LimitScope, nowMs: number) =>
  sum(signedUnder(tables, scope, nowMs).map((batch) => countsFor(batch, nowMs)))

/** Whether this batch, as it would be signed, has no room in one of its limits. */
export const exceedsLimit = (tables: Tables, signed: Batch): boolean => {
  const { signedAtMs: nowMs = 0 } = signed
  return limitScopesOf(signed).some((scope) => {
    const limit = tables.limits.get(scope)
    return limit !== undefined && usedOf(tables, scope, nowMs) + countsFor(signed, nowMs) > limit.perDay
  })
}

/** The limits that may cover the planned ones of these batches. */
export const limitUses = (tables: Tables, batches: ReadonlyArray<Batch>, nowMs: number): ReadonlyArray<LimitUse> => {
  const planned = batches.filter(({ status }) => status === "planned")
  const scopes = new Set<LimitScope>(["all", ...planned.flatMap(limitScopesOf)])
  const amount = planned.reduce((most, batch) => (batch.amount > most ? batch.amount : most), zero)
  return [...tables.limits.values()]
    .filter(({ scope }) => scopes.has(scope))
    .map(({ scope, perDay }) => {
      const used = usedOf(tables, scope, nowMs)
      let before = 0n
      const frees = signedUnder(tables, scope, nowMs).flatMap((batch) => {
        const isNeeded = before < used + amount - perDay
        before += countsFor(batch, nowMs)
        return isNeeded ? [{ atMs: (batch.signedAtMs ?? 0) + LIMIT_WINDOW_MS, amount: countsFor(batch, nowMs) }] : []
      })
      return { scope, perDay, used, frees }
    })
    .toSorted((a, b) => (a.scope < b.scope ? -1 : 1))
}
