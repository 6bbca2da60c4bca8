import { Schema } from "effect"
import { type Address, parse } from "../domain/Address.ts"

/**
 * What can be made to go wrong with the mint server, in the order in which it is looked for: of two that meet the same
 * moment of a request, the first is injected. `settled` means that the payment is on chain, and the mints are there too
 * unless another fault keeps them back.
 */
const mintKinds = {
  outage: "every request is answered 503",
  refuse: "every request is answered 400",
  "price-higher": "the offer asks for one base unit more",
  "other-payee": "the offer names another payee",
  "other-asset": "the offer names another asset",
  "other-chain": "the offer names another chain",
  "refuse-payment": "a payment is answered 400 and not settled",
  "lost-before-settlement": "the connection of a payment is cut, nothing is settled",
  "hang-before-settlement": "a payment is never answered, nothing is settled",
  "settle-late": "a payment is answered 408 at once, and settled `ms` later",
  "settle-nothing": "nothing is settled or minted, answered 200 with a receipt",
  "mint-before-settlement": "the mints are made, and then the payment is refused with 402",
  "mint-fails": "settled, no mints, answered 500",
  "mint-nothing": "settled, no mints, answered 200",
  "lost-after-settlement": "settled, and the connection is cut",
  "hang-after-settlement": "settled, and never answered",
  "answer-402": "settled, and answered with a fresh challenge",
  "answer-408": "settled, and answered 408",
  "answer-500": "settled, and answered 500",
  "answer-502": "settled, and answered 502 with the page of a proxy",
  "settlement-pending": "settled, and answered 402 `settlement_pending`",
  truncated: "settled, and the answer breaks off",
  malformed: "settled, and the answer is no JSON and has no receipt"
} as const

/** The same for the node that the executor asks: between the two stands `RpcProxy`. */
const rpcKinds = {
  "rpc-429": "every request is answered 429",
  "rpc-500": "every request is answered 500",
  "rpc-503": "every request is answered 503",
  "rpc-reset": "every connection is reset",
  "rpc-hang": "no request is answered",
  "rpc-malformed": "every answer breaks off in the middle of its JSON",
  "rpc-slow": "every answer takes `ms` more",
  "rpc-frozen": "the node's head stays where it is",
  "rpc-lag": "the node is `blocks` blocks behind",
  "rpc-no-logs": "eth_getLogs finds nothing",
  "rpc-logs-twice": "eth_getLogs gives every log twice",
  "rpc-logs-foreign": "eth_getLogs gives a log besides that was not asked for",
  "rpc-logs-removed": "eth_getLogs gives every log as one of a block that is no more",
  "rpc-logs-index": "eth_getLogs counts the logs otherwise than the receipts do",
  "rpc-range": "eth_getLogs over more than `blocks` blocks is refused",
  "rpc-wrong-chain": "eth_chainId names another chain"
} as const

const descriptions = { ...mintKinds, ...rpcKinds }
export type FaultKind = keyof typeof descriptions

export const ofMintServer = Object.keys(mintKinds) as ReadonlyArray<FaultKind>
export const ofRpc = Object.keys(rpcKinds) as ReadonlyArray<FaultKind>
export const describe = (kind: FaultKind): string => descriptions[kind]

/** The numbers that a fault may carry, in words. */
export const faultLimits = {
  times: "a whole number from 1 to 1000000",
  ms: "a whole number from 1 to 600000",
  blocks: "a whole number from 1 to 1000000",
  token: "the address of a token: 0x and 40 hex digits"
}

const whole = (expected: string, maximum: number) => {
  const message = `expected ${expected}`
  return Schema.Int.annotate({ message }).check(Schema.isBetween({ minimum: 1, maximum }, { message }))
}

export const Times = whole(faultLimits.times, 1_000_000)
export const Milliseconds = whole(faultLimits.ms, 600_000)
export const Blocks = whole(faultLimits.blocks, 1_000_000)

export const isToken = (text: string): boolean => parse(text) !== undefined

/** A fault of one of these kinds that is switched on. */
export const faultOf = (kinds: ReadonlyArray<FaultKind>) =>
  Schema.Struct({
    kind: Schema.Literals(kinds).annotate({ message: `expected one of ${kinds.join(", ")}` }),
    /** For so many requests more; left out, until it is switched off. */
    times: Schema.optionalKey(Times),
    /** Only for requests about this token; left out, for all of them. Means nothing to a node. */
    token: Schema.optionalKey(
      Schema.String.check(Schema.makeFilter((text) => isToken(text) || `expected ${faultLimits.token}`))
    ),
    ms: Schema.optionalKey(Milliseconds),
    blocks: Schema.optionalKey(Blocks)
  })
export type Fault = ReturnType<typeof faultOf>["Type"]

/** What a fault does where it does not say how much. */
export const defaults = { ms: 3_000, blocks: 10 }

/** The faults of a sandbox: what is on, and how often each was injected. All of it is synchronous: no two requests take the same turn. */
export interface Faults {
  /** Those that can be switched on here. */
  readonly kinds: ReadonlyArray<FaultKind>
  /** With what is left of each. */
  readonly on: () => ReadonlyArray<Fault>
  /** How often, since the start, by kind. */
  readonly injected: () => Readonly<Partial<Record<FaultKind, number>>>
  /** Instead of all that is on. */
  readonly set: (faults: ReadonlyArray<Fault>) => void
  /** The first of these kinds that is on for the token, with one turn less left of it. */
  readonly take: (kinds: ReadonlyArray<FaultKind>, token?: Address) => Fault | undefined
  /** The first of these kinds that is on for anything, without taking a turn. */
  readonly find: (kinds: ReadonlyArray<FaultKind>) => Fault | undefined
}

export const make = (kinds: ReadonlyArray<FaultKind> = [...ofMintServer, ...ofRpc]): Faults => {
  let on: ReadonlyArray<Fault> = []
  const counts: Partial<Record<FaultKind, number>> = {}

  const isFor = ({ token }: Fault, asked: Address | undefined): boolean => token === undefined || parse(token) === asked

  /** `undefined` where that was its last turn. */
  const spent = (fault: Fault): ReadonlyArray<Fault> => {
    if (fault.times === undefined) return [fault]
    return fault.times > 1 ? [{ ...fault, times: fault.times - 1 }] : []
  }

  return {
    kinds,
    on: () => on,
    injected: () => ({ ...counts }),
    set: (faults) => void (on = faults),
    find: (asked) => on.find(({ kind }) => asked.includes(kind)),
    take: (asked, token) => {
      for (const kind of asked) {
        const fault = on.find((one) => one.kind === kind && isFor(one, token))
        if (fault === undefined) continue
        on = on.flatMap((one) => (one === fault ? spent(one) : [one]))
        counts[kind] = (counts[kind] ?? 0) + 1
        return fault
      }
      return undefined
    }
  }
}
