import { Array as Arr, Effect, Option, type Redacted, Result } from "effect"
import { FetchHttpClient } from "effect/http"
import { type Endpoint, makeEndpoint } from "../chain/endpoint.ts"
import { codeBehind } from "../chain/usdcCode.ts"
import type { SettingsShape } from "../config/Settings.ts"
import type { Bytes32 } from "../domain/Address.ts"
import { broken, type Findings } from "./attempt.ts"
import { sayerOf } from "./Finding.ts"
import { examineGas } from "./gas.ts"
import { type Node, nodeFindings } from "./nodes.ts"
import { askNode, probe } from "./probe.ts"
import { examineUsdc } from "./usdc.ts"

const say = sayerOf("chain")

export interface ChainExam {
  readonly findings: Findings
  /** Hash of the first block of the chain of `NETWORK`, where a node told it. */
  readonly genesis: Bytes32 | undefined
  /** The code that USDC runs, as a node told it. */
  readonly usdcCode: string | undefined
  /** How far the newest block of that node is behind this machine's clock, in milliseconds. */
  readonly behindMs: number | undefined
}

export const unknown = (findings: Findings): ChainExam => ({
  findings,
  genesis: undefined,
  usdcCode: undefined,
  behindMs: undefined
})

/** Every node of the list, each by itself; then USDC and the gas account by the first that leads to the right chain. */
export const examineChain = Effect.fnUntraced(
  function* (settings: SettingsShape) {
    const fetch = yield* FetchHttpClient.Fetch
    const endpoints = settings.rpcUrls.map((url: Redacted.Redacted) => makeEndpoint(url, fetch))
    const nodes = yield* Effect.forEach(endpoints, (endpoint) => askAll(settings, endpoint), {
      concurrency: "unbounded"
    })
    const good = Arr.findFirst(Arr.zip(endpoints, nodes), ([, { answer }]) => isRight(settings, answer))
    const more = Option.isSome(good) ? yield* contracts(settings, good.value[0]) : []
    const findings = [...nodeFindings(settings.network, nodes), ...more]
    const answer = Option.isSome(good) ? good.value[1].answer : undefined
    const genesis = answer !== undefined && "probe" in answer ? answer.probe.genesis : undefined
    const behindMs = answer !== undefined && "probe" in answer ? answer.probe.headAgeMs : undefined
    const usdcCode = Option.isSome(good) ? yield* codeOf(settings, good.value[0]) : undefined
    return { findings, genesis, usdcCode, behindMs } satisfies ChainExam as ChainExam
  },
  Effect.catchDefect((defect) => Effect.succeed(unknown([broken({ say, what: "nodes" }, defect)])))
)

const askAll = (settings: SettingsShape, endpoint: Endpoint): Effect.Effect<Node> =>
  Effect.map(Effect.result(probe(settings, endpoint)), (asked) => ({
    host: endpoint.host,
    answer: Result.isSuccess(asked) ? { probe: asked.success } : { fault: asked.failure }
  }))

const isRight = ({ network }: SettingsShape, answer: Node["answer"]): boolean =>
  "probe" in answer && answer.probe.chainId === network.chainId

/** Where the node does not answer, that is a finding about USDC already. */
const codeOf = (settings: SettingsShape, endpoint: Endpoint) =>
  Effect.map(Effect.option(askNode(settings, endpoint, codeBehind(settings.network.usdc))), Option.getOrUndefined)

const contracts = (settings: SettingsShape, endpoint: Endpoint) =>
  Effect.map(
    Effect.all([examineUsdc(settings, endpoint), examineGas(settings, endpoint)], { concurrency: "unbounded" }),
    (found) => found.flat()
  )
