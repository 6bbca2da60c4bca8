import { Context, Duration, Effect, Exit, Ref } from "effect"
import { ChainError } from "./ChainClient.ts"
import { NodeFault } from "./classify.ts"
import type { Ask, Validate } from "./endpoint.ts"
import { headNumber } from "./rpcCalls.ts"
import { cachedFor } from "../ops/cachedFor.ts"

/**
 * How long the newest block of a node counts as its newest: an eighth of a block of Base. What is read by it might as well
 * have been read from a node that lags so much.
 */
export const HeadKept = Context.Reference<Duration.Duration>("ai-mint-executor/chain/head/HeadKept", {
  defaultValue: () => Duration.millis(250)
})

/** The newest block of a node. */
export interface Head {
  /**
   * Its number, of a node that is not behind `seen`: asked once for all that ask while the answer is on its way, and for
   * `HeadKept` after it.
   */
  readonly head: (operation: string, seen: bigint) => Effect.Effect<bigint, ChainError>
  /** What was kept is forgotten: the next one to ask is given the newest block of that moment. */
  readonly forgetHead: Effect.Effect<void>
}

export const makeHead = Effect.fnUntraced(function* (ask: Ask): Effect.fn.Return<Head> {
  const kept = yield* HeadKept
  const newest = yield* Ref.make(0n)
  const { now: shared, forget: forgetHead } = yield* cachedFor(
    Effect.flatMap(Ref.get(newest), (seen) => ask("read the newest block", headNumber, isBehind(seen))),
    (exit) => (Exit.isSuccess(exit) ? kept : Duration.zero)
  )

  /** An answer that was on its way, or is kept, may be older than what was seen since it was asked for. */
  const head: Head["head"] = Effect.fnUntraced(
    function* (_, seen) {
      yield* Ref.update(newest, (highest) => (highest > seen ? highest : seen))
      const number = yield* shared
      return number >= seen ? number : yield* Effect.andThen(forgetHead, shared)
    },
    (asked, operation) => Effect.mapError(asked, ({ reason, detail }) => new ChainError({ reason, operation, detail }))
  )

  return { head, forgetHead }
})

/** Why a node with this head cannot speak about `block`. */
export const isBehind =
  (block: bigint): Validate<bigint> =>
  (head) =>
    head >= block
      ? undefined
      : new NodeFault({ reason: "Lagging", detail: `the node is at block ${head}, and block ${block} was seen before` })
