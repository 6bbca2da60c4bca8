import { Clock, Duration, Effect, type Option, Result } from "effect"
import type { Fault } from "../chain/classify.ts"
import type { Endpoint, Question } from "../chain/endpoint.ts"
import { aggregate } from "../chain/multicall.ts"
import { blockAt, headNumber, logsOf } from "../chain/questions.ts"
import { withTimeout } from "../chain/rpc.ts"
import { type Identity, identity } from "../chain/startChecks.ts"
import { topicOf, TRANSFER } from "../chain/usdc.ts"
import type { SettingsShape } from "../config/Settings.ts"
import { ZERO } from "../domain/Address.ts"
import type { Block } from "../domain/Block.ts"

/** For one answer of one node: an operator waits. */
const LIMIT_MAX = Duration.seconds(10)

/** The executor looks for deposits and payments in ranges of this size and more. */
const LOG_BLOCKS = 1_000n

/** What one node answers to the questions that the executor lives by. */
export interface Probe extends Identity {
  /** Of the first question, milliseconds. */
  readonly latencyMs: number
  readonly head: Block
  /** Our time when the head was told, less the head's own. Negative where the head is in our future. */
  readonly headAgeMs: number
  /** Why the node does not give what is needed; none where it does. */
  readonly multicall: Option.Option<Fault>
  readonly logs: Option.Option<Fault>
}

/** Asks one node, and nothing of it twice: what it would not answer at once is what an operator should see. */
export const askNode = <A>({ rpcTimeout }: SettingsShape, endpoint: Endpoint, question: Question<A>) =>
  endpoint.ask(question).pipe(withTimeout(Duration.min(rpcTimeout, LIMIT_MAX)))

export const probe = Effect.fnUntraced(function* (settings: SettingsShape, endpoint: Endpoint) {
  const ask = <A>(question: Question<A>) => askNode(settings, endpoint, question)
  const startMs = yield* Clock.currentTimeMillis
  const found = yield* ask(identity)
  const latencyMs = (yield* Clock.currentTimeMillis) - startMs
  const { number, timeMs } = yield* ask(async (node) => blockAt(await headNumber(node))(node))
  const headAgeMs = (yield* Clock.currentTimeMillis) - timeMs
  const faultOf = <A>(question: Question<A>) => Effect.map(Effect.result(ask(question)), Result.getFailure)
  return {
    ...found,
    latencyMs,
    head: { number, timeMs },
    headAgeMs,
    multicall: yield* faultOf(aggregate([], number)),
    logs: yield* faultOf(transfersToNobody(settings, number))
  } satisfies Probe
})

/** Transfers of USDC to the zero address: few, so that only the range is put to the test. */
const transfersToNobody = ({ network }: SettingsShape, head: bigint) =>
  logsOf({
    address: network.usdc.address,
    topics: [TRANSFER, null, topicOf(ZERO)],
    fromBlock: head < LOG_BLOCKS ? 0n : head - LOG_BLOCKS + 1n,
    toBlock: head
  })
