import { Array as Arr, Effect, Option, Ref } from "effect"
import * as Clocks from "../ops/Clocks.ts"
import type { ChainClient, ChainError } from "./ChainClient.ts"
import { closeNoTime, raiseNoTime } from "./believable.ts"
import { newest } from "./nodes.ts"
import type { Rpc, Single } from "./rpc.ts"

/** Reads at the newest block that counts. */
export interface Confirmed {
  /** `read` gets the number of the newest block that has `CONFIRMATIONS` blocks, its own included. Never goes back. */
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
    { head: headOf }: Pick<Rpc, "head">,
    operation: string,
    read: (block: bigint) => Effect.Effect<A, ChainError>
  ): Effect.fn.Return<A, ChainError> {
    const before = yield* Ref.get(served)
    const head = yield* headOf(operation, before)
    // A node whose head is a little older than the one before it still has the block served then, and answers from it.
    const block = max(head - BigInt(confirmations - 1), before)
    const answer = yield* read(block)
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

export const makeConfirmedBlock = (rpc: Rpc, confirmed: Confirmed): ChainClient["Service"]["confirmedBlock"] => {
  const operation = "read the confirmed block"
  return confirmed
    .at(operation, (number) => rpc.readAt(operation, { number, reads: [] }))
    .pipe(
      Effect.map(({ block }) => block),
      Effect.withSpan("ChainClient.confirmedBlock")
    )
}

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b)
