import { Option } from "effect"
import type { Fault } from "../chain/classify.ts"
import type { NetworkShape } from "../config/Network.ts"
import { counted } from "../domain/counted.ts"
import { duration } from "../domain/time.ts"
import { type Finding, sayerOf } from "./Finding.ts"
import type { Probe } from "./probe.ts"

const say = sayerOf("chain")

/** Blocks come every two seconds: a head that is older is a node that stands still, or a clock that is wrong. */
const AGE_WARN_MS = 30_000
const AGE_FAIL_MS = 120_000

/** Nodes hear of a block one after another; further behind, one of them lags. */
const BEHIND_MAX = 5n

/** One RPC URL, by its host only, and what became of the questions. */
export interface Node {
  readonly host: string
  readonly answer: { readonly probe: Probe } | { readonly fault: Fault }
}

/** What is compared with: the nodes that lead to the chain of `NETWORK`. */
interface Others {
  readonly network: NetworkShape
  /** Of the first of them. */
  readonly genesis: string | undefined
  /** The highest of them. */
  readonly highest: bigint
  readonly anyAnswers: boolean
}

/** Each node in its place of the list: one line where all is well, else one for each trouble. Pure. */
export const nodeFindings = (network: NetworkShape, nodes: ReadonlyArray<Node>): ReadonlyArray<Finding> => {
  const right = nodes.flatMap(({ answer }) =>
    "probe" in answer && answer.probe.chainId === network.chainId ? [answer.probe] : []
  )
  const highest = right.reduce((most, { head }) => (head.number > most ? head.number : most), 0n)
  const others = { network, genesis: right[0]?.genesis, highest, anyAnswers: right.length > 0 }
  return nodes.flatMap((node, index) => findingsOf(`RPC ${index + 1}`, node, others))
}

const findingsOf = (what: string, { host, answer }: Node, others: Others): ReadonlyArray<Finding> => {
  const { rpcKey } = others.network
  if ("fault" in answer) {
    const detail = `${host} does not answer: ${wordsOf(answer.fault)}`
    if (others.anyAnswers) {
      return [
        say.warn({ what, detail, remedy: `The others are asked instead. Repair it, or take it out of ${rpcKey}.` })
      ]
    }
    return [say.fail({ what, detail, remedy: `Put nodes in ${rpcKey} that answer. Nothing is lost meanwhile.` })]
  }
  const seen = { ...others, what, host, probe: answer.probe }
  const wrong = anotherChain(seen)
  if (wrong !== undefined) return [wrong]
  const troubles = [age, behind, multicall, logs].flatMap((look) => look(seen))
  if (troubles.length > 0) return troubles
  const { latencyMs, head, headAgeMs } = answer.probe
  const detail = `${host}: block ${head.number}, ${duration(headAgeMs)} old (${latencyMs} ms)`
  return [say.ok({ what, detail })]
}

/** A node that answers, and what it is compared with. */
interface Seen extends Others {
  readonly what: string
  readonly host: string
  readonly probe: Probe
}

const anotherChain = ({ what, host, probe, network, genesis }: Seen): Finding | undefined => {
  if (probe.chainId !== network.chainId) {
    const detail = `${host} leads to chain ${probe.chainId}, and NETWORK=${network.name} is chain ${network.chainId}`
    const remedy = `Set ${network.rpcKey} to a node of chain ${network.chainId}, or NETWORK to the network you mean.`
    return say.fail({ what, detail, remedy })
  }
  if (probe.genesis === genesis) return undefined
  const detail = `${host} leads to another chain with the id ${probe.chainId}: its first block differs`
  return say.fail({ what, detail, remedy: `Keep only nodes of one chain in ${network.rpcKey}.` })
}

type Look = (seen: Seen) => ReadonlyArray<Finding>

const age: Look = ({ what, host, probe: { head, headAgeMs }, network }) => {
  if (Math.abs(headAgeMs) <= AGE_WARN_MS) return []
  if (headAgeMs < 0) {
    const detail = `${host}: block ${head.number} is ${duration(-headAgeMs)} in the future of this machine's clock`
    return [say.warn({ what, detail, remedy: "Have this machine keep time (NTP): timedatectl, chronyc tracking." })]
  }
  const detail = `${host}: block ${head.number}, its newest, is ${duration(headAgeMs)} old: nothing is cancelled on such news`
  const remedy = `The node stands still, or this machine's clock is ahead. Look at both; other nodes go in ${network.rpcKey}.`
  return [headAgeMs > AGE_FAIL_MS ? say.fail({ what, detail, remedy }) : say.warn({ what, detail, remedy })]
}

const behind: Look = ({ what, host, probe: { head }, highest, network }) => {
  const blocks = highest - head.number
  if (blocks <= BEHIND_MAX) return []
  const detail = `${host} is ${counted(blocks, "block")} behind the highest of the others`
  return [
    say.warn({ what, detail, remedy: `What it says is not believed. Take it out of ${network.rpcKey} if it stays.` })
  ]
}

const multicall: Look = ({ what, host, probe, network }) =>
  Option.match(probe.multicall, {
    onNone: () => [],
    onSome: (fault) => [
      say.fail({
        what,
        detail: `${host}: Multicall3 does not answer there (${wordsOf(fault)}), and every balance is read by it`,
        remedy: `Set ${network.rpcKey} to a full node of ${network.name}.`
      })
    ]
  })

const logs: Look = ({ what, host, probe, network }) =>
  Option.match(probe.logs, {
    onNone: () => [],
    onSome: (fault) => [
      say.warn({
        what,
        detail: `${host} does not give the logs of 1,000 blocks (${wordsOf(fault)}): payments are found more slowly`,
        remedy: `Take a plan with larger ranges of eth_getLogs, or put another node first in ${network.rpcKey}.`
      })
    ]
  })

const wordsOf = ({ reason, detail }: Fault): string => `${reason}, ${detail}`
