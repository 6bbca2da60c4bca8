import { Effect } from "effect"
import { type Batch, isInFlight } from "../domain/Batch.ts"
import { awaitsBlock } from "../domain/transferPace.ts"

/**
 * What is left to do for a wallet, by what was written last: a wallet of which that is known needs no turn to find it
 * out. What another program changes meanwhile, the mint loop finds.
 */
export interface Left {
  /** When there is something to do again; `undefined` where there is nothing, or nothing until the wallet is woken. */
  readonly dueMs: number | undefined
  /** Whether a new block may bring something before that. */
  readonly awaitsBlock?: boolean
}

/** What is left of these batches, as they are in the ledger. */
export const leftOf = (...batches: ReadonlyArray<Batch>): Left => {
  const inFlight = batches.filter(isInFlight)
  return all(inFlight.map((batch) => ({ dueMs: batch.nextActionAtMs, awaitsBlock: awaitsBlock(batch) })))
}

/** All of these together. */
export const all = (lefts: ReadonlyArray<Left>): Left => {
  const times = lefts.flatMap(({ dueMs }) => dueMs ?? [])
  const isAwaited = lefts.some((left) => left.awaitsBlock === true)
  return { dueMs: times.length === 0 ? undefined : Math.min(...times), awaitsBlock: isAwaited }
}

/** Does something after which the ledger has to be read to know what is left. */
export const unknown = <E, R>(work: Effect.Effect<unknown, E, R>): Effect.Effect<undefined, E, R> =>
  Effect.as(work, undefined)
