import { Clock, Duration, Effect } from "effect"
import type { NodeFault } from "../chain/classify.ts"
import type { Endpoint, RpcCall } from "../chain/endpoint.ts"
import { aggregate } from "../chain/multicall.ts"
import { blockAt, headNumber, logsOf } from "../chain/rpcCalls.ts"
import { withTimeout } from "../chain/rpc.ts"
import { fingerprint } from "../chain/startChecks.ts"
import { topicOf, TRANSFER } from "../chain/usdc.ts"
import type { NetworkShape } from "../config/Network.ts"
import type { SettingsShape } from "../config/Settings.ts"
import { type Bytes32, ZERO } from "../domain/Address.ts"
import type { Block } from "../domain/Block.ts"
import { counted } from "../domain/text.ts"
import { type ChainFingerprint, chainProblem, HEAD_AGE_MS_MAX, type IdentifiedNode } from "../domain/requirements.ts"
import { duration } from "../domain/time.ts"
import { type Finding, reportOn } from "./Finding.ts"

const report = reportOn("chain")

/** Blocks come every two seconds: a head that is older is a node that stands still, or a clock that is wrong. */
const AGE_WARN_MS = 30_000

/** Nodes hear of a block one after another; further behind, one of them lags. */
const BEHIND_MAX = 5n

/** One RPC URL, by its host only, and its answers. */
export interface Node {
  readonly host: string
  readonly answer: { readonly probe: Probe } | { readonly fault: NodeFault }
}

/** What is compared with: the nodes that lead to the chain of `NETWORK`. */
interface Others {
  readonly network: NetworkShape
  readonly first: IdentifiedNode | undefined
  /** The highest of them. */
  readonly highest: bigint
  readonly anyAnswers: boolean
}

/** Each node in its place of the list: one line where all is well, else one for each problem. Pure. */
export const nodeFindings = (network: NetworkShape, nodes: ReadonlyArray<Node>): ReadonlyArray<Finding> => {
  const right = nodes.flatMap(({ host, answer }) =>
    "probe" in answer && answer.probe.chainId === network.chainId ? [{ host, ...answer.probe }] : []
  )
  const highest = right.reduce((most, { head }) => (head.number > most ? head.number : most), 0n)
  const others = { network, first: right[0], highest, anyAnswers: right.length > 0 }
  return nodes.flatMap((node, index) => findingsAbout(`RPC ${index + 1}`, node, others))
}

const findingsAbout = (what: string, { host, answer }: Node, others: Others): ReadonlyArray<Finding> => {
  const { rpcKey } = others.network
  if ("fault" in answer) {
    const detail = `${host} does not answer: ${faultText(answer.fault)}`
    if (others.anyAnswers) {
      return [
        report.warn({ what, detail, remedy: `The others are asked instead. Repair it, or take it out of ${rpcKey}.` })
      ]
    }
    return [report.fail({ what, detail, remedy: `Put nodes in ${rpcKey} that answer. Nothing is lost meanwhile.` })]
  }
  const checked = { ...others, what, host, probe: answer.probe }
  const problem = chainProblem(others.network, { host, ...answer.probe }, others.first)
  if (problem !== undefined) return [report.fail({ ...problem, what })]
  const problems = [age, behind, multicall, logs].flatMap((check) => check(checked) ?? [])
  if (problems.length > 0) return problems
  const { latencyMs, head, headAgeMs } = answer.probe
  const detail = `${host}: block ${head.number}, ${duration(headAgeMs)} old (${latencyMs} ms)`
  return [report.ok({ what, detail })]
}

/** A node that answers, and what it is compared with. */
interface Checked extends Others {
  readonly what: string
  readonly host: string
  readonly probe: Probe
}

type NodeCheck = (checked: Checked) => Finding | undefined

const age: NodeCheck = ({ what, host, probe: { head, headAgeMs }, network }) => {
  if (Math.abs(headAgeMs) <= AGE_WARN_MS) return undefined
  if (headAgeMs < 0) {
    const detail = `${host}: block ${head.number} is ${duration(-headAgeMs)} in the future of this machine's clock`
    return report.warn({ what, detail, remedy: "Have this machine keep time (NTP): timedatectl, chronyc tracking." })
  }
  const detail = `${host}: block ${head.number}, its newest, is ${duration(headAgeMs)} old: nothing is cancelled on such news`
  const remedy = `The node stands still, or this machine's clock is ahead. Look at both; other nodes go in ${network.rpcKey}.`
  return headAgeMs > HEAD_AGE_MS_MAX ? report.fail({ what, detail, remedy }) : report.warn({ what, detail, remedy })
}

const behind: NodeCheck = ({ what, host, probe: { head }, highest, network }) => {
  const blocks = highest - head.number
  if (blocks <= BEHIND_MAX) return undefined
  const detail = `${host} is ${counted(blocks, "block")} behind the highest of the others`
  return report.warn({
    what,
    detail,
    remedy: `What it says is not believed. Take it out of ${network.rpcKey} if it stays.`
  })
}

const multicall: NodeCheck = ({ what, host, probe, network }) =>
  probe.multicallFault === undefined
    ? undefined
    : report.fail({
        what,
        detail: `${host}: Multicall3 does not answer there (${faultText(probe.multicallFault)}), and every balance is read by it`,
        remedy: `Set ${network.rpcKey} to a full node of ${network.name}.`
      })

const logs: NodeCheck = ({ what, host, probe, network }) =>
  probe.logsFault === undefined
    ? undefined
    : report.warn({
        what,
        detail: `${host} does not give the logs of 1,000 blocks (${faultText(probe.logsFault)}): payments are found more slowly`,
        remedy: `Take a plan with larger ranges of eth_getLogs, or put another node first in ${network.rpcKey}.`
      })

const faultText = ({ reason, detail }: NodeFault): string => `${reason}, ${detail}`

/** For one answer of one node: an operator waits. */
const LIMIT_MAX = Duration.seconds(10)

/** The executor searches for deposits and payments in ranges of this size and more. */
const LOG_BLOCKS = 1_000n

/** What one node answers to the calls that the executor depends on. */
export interface Probe extends ChainFingerprint {
  readonly genesis: Bytes32
  /** Of the first call, milliseconds. */
  readonly latencyMs: number
  readonly head: Block
  /** Our time when the head was read, less the head's own. Negative where the head is in our future. */
  readonly headAgeMs: number
  /** Why the node does not give what is needed; undefined where it does. */
  readonly multicallFault: NodeFault | undefined
  readonly logsFault: NodeFault | undefined
}

/** Asks one node, once and without a retry: an operator should see what it does not answer at once. */
export const askNode = <A>({ rpcTimeout }: SettingsShape, endpoint: Endpoint, call: RpcCall<A>) =>
  endpoint.ask(call).pipe(withTimeout(Duration.min(rpcTimeout, LIMIT_MAX)))

export const probe = Effect.fnUntraced(function* (settings: SettingsShape, endpoint: Endpoint) {
  const ask = <A>(call: RpcCall<A>) => askNode(settings, endpoint, call)
  const startMs = yield* Clock.currentTimeMillis
  const found = yield* ask(fingerprint)
  const latencyMs = (yield* Clock.currentTimeMillis) - startMs
  const { number, timeMs } = yield* ask(async (node) => blockAt(await headNumber(node))(node))
  const headAgeMs = (yield* Clock.currentTimeMillis) - timeMs
  const faultOf = <A>(call: RpcCall<A>) =>
    Effect.match(ask(call), { onSuccess: () => undefined, onFailure: (fault) => fault })
  return {
    ...found,
    latencyMs,
    head: { number, timeMs },
    headAgeMs,
    multicallFault: yield* faultOf(aggregate([], number)),
    logsFault: yield* faultOf(transfersToZero(settings, number))
  } satisfies Probe
})

/** Transfers of USDC to the zero address: there are few, so this tests only the range. */
const transfersToZero = ({ network }: SettingsShape, head: bigint) =>
  logsOf({
    address: network.usdc.address,
    topics: [TRANSFER, null, topicOf(ZERO)],
    fromBlock: head < LOG_BLOCKS ? 0n : head - LOG_BLOCKS + 1n,
    toBlock: head
  })
