import { Effect, Ref } from "effect"
import type { NetworkShape } from "../config/Network.ts"
import type { ChainClient } from "./ChainClient.ts"
import type { Rpc } from "./rpc.ts"

/** The part of a block's time after which the next block is asked for: a little early, so that it is seen as it comes. */
const EARLY = 0.9

/** The part of it after which a block that was not there yet is asked for again, and twice as long each further time. */
const AGAIN = 0.1

/** How long to wait before the next question, after so many that brought no new block. */
export const headPauseMs = (blockMs: number, misses: number): number =>
  Math.round(blockMs * (misses === 0 ? EARLY : Math.min(1, AGAIN * 2 ** (misses - 1))))

/** One cheap question for about each block, which keeps in step with the blocks. */
export const makeNewHead = Effect.fnUntraced(function* (rpc: Rpc, { blockSeconds }: NetworkShape) {
  const last = yield* Ref.make({ head: 0n, misses: 0 })
  const newHead: ChainClient["Service"]["newHead"] = Effect.gen(function* () {
    const { misses } = yield* Ref.get(last)
    yield* Effect.sleep(headPauseMs(blockSeconds * 1000, misses))
    // Anew, and all that this block wakes asks by the answer.
    yield* rpc.forgetHead
    const head = yield* rpc.head("ask for a new block", 0n)
    yield* Ref.update(last, (before) =>
      head > before.head ? { head, misses: 0 } : { ...before, misses: before.misses + 1 }
    )
    return head
  })
  return newHead
})
