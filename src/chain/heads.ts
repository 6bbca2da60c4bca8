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

/** The part of a block's time after which a block that was not there yet is asked for again. */
export const AGAIN = 0.1

/** So much of it, and no more, before the next block is due it is asked for where it is not known when the last one came. */
const EARLY = 0.5

/** The part of it after which a block is asked for whose announcement is late or lost. */
const LATE = 1.5

/** By a clock that never jumps. */
const monotonicMs = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

/** A node lags by fewer blocks. A head that is so far behind the last one is the newest: the last was a node's mistake. */
const FAR_BEHIND = 100n

/** What is known of when blocks come, all in milliseconds. */
interface Pace {
  readonly head: bigint
  /** When that head was first seen, and how much earlier it may have come: as long as since the question before. */
  readonly seenMs: number
  readonly unsureMs: number
  /** When the last question left that brought nothing since, and how many of them left after the next block was due. */
  readonly missedMs: number | undefined
  readonly overdue: number
}

const UNKNOWN: Pace = { head: 0n, seenMs: Number.NEGATIVE_INFINITY, unsureMs: 0, missedMs: undefined, overdue: 0 }

/**
 * When to ask for the next block: as early as it may come, and then again and again. So it is seen soon, and the one
 * after it without asking much more than once. The longer it is overdue, the longer the pauses, up to a block's time.
 */
const nextAskMs = ({ seenMs, unsureMs, missedMs, overdue }: Pace, blockMs: number, areAnnounced: boolean): number => {
  if (missedMs !== undefined) return missedMs + blockMs * Math.min(1, AGAIN * 2 ** overdue)
  return seenMs + (areAnnounced ? LATE * blockMs : blockMs - unsureMs)
}

const afterAnswer = (before: Pace, head: bigint, askedMs: number, nowMs: number, blockMs: number): Pace => {
  const { seenMs, missedMs = seenMs, overdue } = before
  if (head <= before.head && head + FAR_BEHIND >= before.head) {
    return { ...before, missedMs: askedMs, overdue: askedMs < seenMs + blockMs ? 0 : overdue + 1 }
  }
  const unsureMs = Math.min(EARLY * blockMs, Math.max(AGAIN * blockMs, nowMs - missedMs))
  return { head, seenMs: nowMs, unsureMs, missedMs: undefined, overdue: 0 }
}

/**
 * One or two cheap questions for each block, which keep in step with the blocks: asked when the block is announced, else
 * when it is about to come. An announcement only says when to ask: the nodes of the list say which block there is.
 */
export const makeHeads = Effect.fnUntraced(function* (
  rpc: Rpc,
  { blockSeconds }: NetworkShape,
  subscriptions: Subscriptions
) {
  const blockMs = blockSeconds * 1000
  const pace = yield* Ref.make(UNKNOWN)

  const nextHead: ChainClient["Service"]["nextHead"] = Effect.gen(function* () {
    const now = yield* Ref.get(pace)
    // What a block brings may take a while: the next one comes all the same.
    const pauseMs = nextAskMs(now, blockMs, yield* subscriptions.areLive) - (yield* monotonicMs)
    // However many announcements come, a question that brought nothing is not asked again at once.
    const rest = now.missedMs === undefined ? Effect.void : Effect.sleep(AGAIN * blockMs)
    yield* Effect.raceFirst(Effect.sleep(Math.max(0, pauseMs)), Effect.andThen(rest, subscriptions.above(now.head)))
  })

  const newHead: ChainClient["Service"]["newHead"] = Effect.gen(function* () {
    const askedMs = yield* monotonicMs
    // Anew, and all that this block wakes asks by the answer.
    yield* rpc.forgetHead
    const head = yield* rpc.head("ask for a new block", 0n)
    const nowMs = yield* monotonicMs
    yield* Ref.update(pace, (before) => afterAnswer(before, head, askedMs, nowMs, blockMs))
    return head
  })

  return { nextHead, newHead }
})
