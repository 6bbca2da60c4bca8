import { Clock, Effect, Ref } from "effect"
import type { NetworkShape } from "../config/Network.ts"
import type { ChainClient, SubscriptionHealth } from "./ChainClient.ts"
import type { Rpc } from "./rpc.ts"

/** The WebSocket endpoints, which announce new blocks. */
export interface Subscriptions {
  /** Waits for the announcement of a block above this one. From the first time on, the endpoints are connected to. */
  readonly above: (head: bigint) => Effect.Effect<void>
  /** Whether one of the endpoints announces blocks now. */
  readonly areLive: Effect.Effect<boolean>
  readonly health: Effect.Effect<ReadonlyArray<SubscriptionHealth>>
}

/** Where no URL is of a WebSocket: nothing is announced. */
export const noSubscriptions: Subscriptions = {
  above: () => Effect.never,
  areLive: Effect.succeed(false),
  health: Effect.succeed([])
}

/** The part of a block's time after which the next block is asked for: a little early, so that it is seen as it comes. */
const EARLY = 0.9

/** The same where the blocks are announced: one whose announcement is late or lost is asked for. */
const LATE = 1.5

/** The part of it after which a block that was not there yet is asked for again, and twice as long each further time. */
const AGAIN = 0.1

/** A node lags by fewer blocks. A head that is so far behind the last one is the newest: the last was a node's mistake. */
const FAR_BEHIND = 100n

/** How long after the last new block, or the question that brought none, the next question is: after so many of those. */
export const headPauseMs = (blockMs: number, misses: number, areAnnounced = false): number => {
  const soon = areAnnounced ? LATE : EARLY
  return Math.round(blockMs * (misses === 0 ? soon : Math.min(1, AGAIN * 2 ** (misses - 1))))
}

/**
 * One cheap question for about each block, which keeps in step with the blocks: asked when the block is announced, else
 * when it is about to come. An announcement only says when to ask: the nodes of the list say which block there is.
 */
export const makeHeads = Effect.fnUntraced(function* (
  rpc: Rpc,
  { blockSeconds }: NetworkShape,
  subscriptions: Subscriptions
) {
  const blockMs = blockSeconds * 1000
  /** `atMs`: when the last question was answered. */
  const last = yield* Ref.make({ head: 0n, misses: 0, atMs: 0 })

  const nextHead: ChainClient["Service"]["nextHead"] = Effect.gen(function* () {
    const { head, misses, atMs } = yield* Ref.get(last)
    // What a block brings may take a while: the next one comes all the same.
    const sinceMs = Math.max(0, (yield* Clock.currentTimeMillis) - atMs)
    const pauseMs = headPauseMs(blockMs, misses, yield* subscriptions.areLive)
    // However many announcements come, a question that brought nothing is not asked again at once.
    const rest = misses === 0 ? Effect.void : Effect.sleep(AGAIN * blockMs)
    yield* Effect.raceFirst(
      Effect.sleep(Math.max(0, pauseMs - sinceMs)),
      Effect.andThen(rest, subscriptions.above(head))
    )
  })

  const newHead: ChainClient["Service"]["newHead"] = Effect.gen(function* () {
    // Anew, and all that this block wakes asks by the answer.
    yield* rpc.forgetHead
    const head = yield* rpc.head("ask for a new block", 0n)
    const atMs = yield* Clock.currentTimeMillis
    yield* Ref.update(last, (before) =>
      head > before.head || head + FAR_BEHIND < before.head
        ? { head, misses: 0, atMs }
        : { head: before.head, misses: before.misses + 1, atMs }
    )
    return head
  })

  return { nextHead, newHead }
})
