import { Effect } from "effect"
import { NodeFault } from "./classify.ts"
import { gather } from "./gather.ts"
import type { Ask, Validate } from "./endpoint.ts"
import { headNumber } from "./rpcCalls.ts"

/** The newest block of a node, for all that ask in a moment. */
export const makeHead = (ask: Ask) =>
  gather<bigint, bigint>({
    keyOf: () => "head",
    askAll: (operation, seen) => {
      const newest = seen.reduce((most, one) => (one > most ? one : most))
      return Effect.map(ask(operation, headNumber, isBehind(newest)), (head) => seen.map(() => head))
    }
  })

/** Why a node with this head cannot speak about `block`. */
export const isBehind =
  (block: bigint): Validate<bigint> =>
  (head) =>
    head >= block
      ? undefined
      : new NodeFault({ reason: "Lagging", detail: `the node is at block ${head}, and block ${block} was seen before` })
