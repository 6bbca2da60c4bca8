import { Array as Arr, Duration, Effect, Exit, Option, Ref } from "effect"
import * as Clocks from "../ops/Clocks.ts"
import type { ChainClient, ChainError } from "./ChainClient.ts"
import { closeNoTime, raiseNoTime } from "./believable.ts"
import { newest } from "./nodes.ts"
import type { Rpc, Single } from "./rpc.ts"

/** Reads at the newest block that counts. */
export interface Confirmed {
  /**
   * `read` gets the number of the newest block that has `CONFIRMATIONS` blocks, its own included, as of a moment ago
   * (`HeadKept`). Never goes back.
   *
   * An older block that counts is as safe as the newest. What it proves stays proven: that a nonce is spent, that
   * `validBefore` or a deadline has passed; and what is void or unpaid by it is so by its own time, in the same answer.
   * A balance counts only where its block is not older than the wallet's last proven payment (`isOutdated`), and no
   * read of this process goes back behind a block that proved one. Searches begin at a block that was noted before,
   * which they find more by, never less.
   */
  readonly at: <A>(
    operation: string,
    read: (block: bigint) => Effect.Effect<A, ChainError>
  ) => Effect.Effect<A, ChainError>
}

export const makeConfirmed = Effect.fnUntraced(function* (rpc: Rpc, confirmations: number) {
  /**
   * The highest block that a read was served from. It rises only after the read: one node's absurd head would else
   * make every other node lag for ever.
   */
  const served = yield* Ref.make(0n)

  const by = Effect.fnUntraced(function* <A>(
    { head: headOf, forgetHead }: Pick<Rpc, "head" | "forgetHead">,
    operation: string,
    read: (block: bigint) => Effect.Effect<A, ChainError>
  ): Effect.fn.Return<A, ChainError> {
    const before = yield* Ref.get(served)
    const head = yield* headOf(operation, before)
    // A node whose head is a little older than the one before it still has the block served then, and answers from it.
    const block = max(head - BigInt(confirmations - 1), before)
    // What cannot be read at a head that was kept is perhaps to be read at the one that the node has now.
    const answer = yield* Effect.tapErrorTag(read(block), "ChainError", () => forgetHead)
    yield* Ref.update(served, (highest) => max(highest, block))
    return answer
  })

  /** One node's head may be one that no other node has, or of a time that is not to be believed: then each is asked. */
  const byEach = Effect.fnUntraced(function* <A>(
    error: ChainError,
    operation: string,
    read: (block: bigint) => Effect.Effect<A, ChainError>
  ): Effect.fn.Return<A, ChainError> {
    const all = yield* rpc.apart
    const nodes = all.length > 1 ? all : []
    if (error.reason === "Doubtful") yield* noteHeadsOf(nodes, operation)
    for (const node of nodes) {
      const answer = yield* Effect.option(by(node.rpc, operation, read))
      if (Option.isSome(answer)) return answer.value
    }
    if (error.reason === "Doubtful") yield* raiseNoTime
    return yield* error
  })

  const at: Confirmed["at"] = (operation, read) =>
    by(rpc, operation, read).pipe(
      Effect.catchIf(isAboutTheHead, (error) => byEach(error, operation, read)),
      Effect.tap(closeNoTime)
    )

  return { at } satisfies Confirmed
})

/** The nodes are clocks too, each for the others: ours may be the one that is wrong. */
const noteHeadsOf = Effect.fnUntraced(function* (nodes: ReadonlyArray<Single>, operation: string) {
  const heads = yield* Effect.forEach(nodes, (node) => Effect.option(node.rpc.ask(operation, newest)), {
    concurrency: "unbounded"
  })
  yield* Clocks.noteHeads(Arr.getSomes(heads).flatMap(({ headTimeMs }) => headTimeMs ?? []))
})

const isAboutTheHead = ({ reason }: ChainError): boolean => reason === "Doubtful" || reason === "Lagging"

export const makeConfirmedBlock = (
  rpc: Rpc,
  confirmed: Confirmed
): Pick<ChainClient["Service"], "confirmedBlock" | "confirmedBlockNow"> => {
  const operation = "read the confirmed block"
  const blockAt = oncePerBlock((number) =>
    Effect.map(rpc.readAt(operation, { number, reads: [] }), ({ block }) => block)
  )
  const confirmedBlock = confirmed
    .at(operation, (number) => blockAt(number, ""))
    .pipe(Effect.withSpan("ChainClient.confirmedBlock"))
  return { confirmedBlock, confirmedBlockNow: Effect.andThen(rpc.forgetHead, confirmedBlock) }
}

/**
 * Reads what a block shows of `key` once, for as long as no other block is asked about: many batches are paid by one
 * block. What could not be read is read again.
 */
export const oncePerBlock = <K extends string, A>(read: (block: bigint, key: K) => Effect.Effect<A, ChainError>) => {
  const kept = Ref.makeUnsafe({ block: -1n, answers: new Map<K, Effect.Effect<A, ChainError>>() })
  return (block: bigint, key: K): Effect.Effect<A, ChainError> =>
    Effect.gen(function* () {
      const answer = yield* Effect.cachedWithTTL(read(block, key), untilItFails)
      const shared = yield* Ref.modify(kept, (before) => {
        const answers = before.block === block ? before.answers : new Map<K, Effect.Effect<A, ChainError>>()
        const first = answers.get(key) ?? answer
        return [first, { block, answers: answers.set(key, first) }]
      })
      return yield* shared
    })
}

const untilItFails = (exit: Exit.Exit<unknown, unknown>) => (Exit.isSuccess(exit) ? Duration.infinity : Duration.zero)

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b)
