import { Clock, Effect, Ref } from "effect"
import type { NetworkShape } from "../config/Network.ts"
import type { ChainClient } from "./ChainClient.ts"
import type { Rpc } from "./rpc.ts"

/** The part of a block's time after which the next block is asked for: a little early, so that it is seen as it comes. */
const EARLY = 0.9

/** The part of it after which a block that was not there yet is asked for again, and twice as long each further time. */
const AGAIN = 0.1

/** How long after the last new block, or the question that brought none, the next question is: after so many of those. */
export const headPauseMs = (blockMs: number, misses: number): number =>
  Math.round(blockMs * (misses === 0 ? EARLY : Math.min(1, AGAIN * 2 ** (misses - 1))))

/** One cheap question for about each block, which keeps in step with the blocks. */
export const makeHeads = Effect.fnUntraced(function* (rpc: Rpc, { blockSeconds }: NetworkShape) {
  /** `atMs`: when the last question was answered. */
  const last = yield* Ref.make({ head: 0n, misses: 0, atMs: 0 })

  const nextHead: ChainClient["Service"]["nextHead"] = Effect.gen(function* () {
    const { misses, atMs } = yield* Ref.get(last)
    // What a block brings may take a while: the next one comes all the same.
    const sinceMs = Math.max(0, (yield* Clock.currentTimeMillis) - atMs)
    yield* Effect.sleep(Math.max(0, headPauseMs(blockSeconds * 1000, misses) - sinceMs))
  })

  const newHead: ChainClient["Service"]["newHead"] = Effect.gen(function* () {
    // Anew, and all that this block wakes asks by the answer.
    yield* rpc.forgetHead
    const head = yield* rpc.head("ask for a new block", 0n)
    const atMs = yield* Clock.currentTimeMillis
    yield* Ref.update(last, (before) =>
      head > before.head ? { head, misses: 0, atMs } : { head: before.head, misses: before.misses + 1, atMs }
    )
    return head
  })

  return { nextHead, newHead }
})
