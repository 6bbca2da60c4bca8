import { Effect, Option, Redacted, Result } from "effect"
import { FetchHttpClient } from "effect/http"
import { formatEther } from "viem"
import { privateKeyToAddress } from "viem/accounts"
import { getBalance, readContract } from "viem/actions"
import type { NodeFault } from "../chain/classify.ts"
import { type Endpoint, makeEndpoint, type RpcCall } from "../chain/endpoint.ts"
import { askUsdcFields } from "../chain/startChecks.ts"
import { usdcAbi } from "../chain/usdc.ts"
import { codeBehind } from "../chain/usdcCode.ts"
import type { SettingsShape } from "../config/Settings.ts"
import type { Bytes32 } from "../domain/Address.ts"
import { usdcProblem } from "../domain/requirements.ts"
import { examineAnnouncements } from "./announcements.ts"
import { attempt, broken, type Finding, type Findings, reportOn } from "./Finding.ts"
import { askNode, type Node, nodeFindings, probe } from "./nodes.ts"

const report = reportOn("chain")

export interface ChainExam {
  readonly findings: Findings
  /** Hash of the first block of the chain of `NETWORK`, where a node answered. */
  readonly genesis: Bytes32 | undefined
  /** The code that USDC runs, by the answer of a node. */
  readonly usdcCode: string | undefined
  /** How far the newest block of that node is behind this machine's clock, in milliseconds. */
  readonly behindMs: number | undefined
}

export const unknownChain = (findings: Findings): ChainExam => ({
  findings,
  genesis: undefined,
  usdcCode: undefined,
  behindMs: undefined
})

/** Every URL of the list, each by itself; then USDC and the gas account by the first that leads to the right chain. */
export const examineChain = Effect.fnUntraced(
  function* (settings: SettingsShape) {
    const fetch = yield* FetchHttpClient.Fetch
    const endpoints = settings.rpcUrls.map((url: Redacted.Redacted) => makeEndpoint(url, fetch))
    const nodes = yield* Effect.forEach(endpoints, (endpoint) => askAll(settings, endpoint), {
      concurrency: "unbounded"
    })
    const findings = nodeFindings(settings.network, nodes)
    for (const [index, endpoint] of endpoints.entries()) {
      const answer = nodes[index]?.answer
      if (answer === undefined || "fault" in answer || answer.probe.chainId !== settings.network.chainId) continue
      const { genesis, headAgeMs } = answer.probe
      const announcements = yield* examineAnnouncements(settings, { host: endpoint.host, ...answer.probe })
      const more = yield* contracts(settings, endpoint)
      const usdcCode = yield* readUsdcCode(settings, endpoint)
      return {
        findings: [...findings, ...announcements, ...more],
        genesis,
        usdcCode,
        behindMs: headAgeMs
      } satisfies ChainExam as ChainExam
    }
    return unknownChain([...findings, ...(yield* examineAnnouncements(settings, undefined))])
  },
  Effect.catchDefect((defect) => Effect.succeed(unknownChain([broken({ report, what: "nodes" }, defect)])))
)

const askAll = (settings: SettingsShape, endpoint: Endpoint): Effect.Effect<Node> =>
  Effect.map(Effect.result(probe(settings, endpoint)), (asked) => ({
    host: endpoint.host,
    answer: Result.isSuccess(asked) ? { probe: asked.success } : { fault: asked.failure }
  }))

/** Where the node does not answer, that is a finding about USDC already. */
const readUsdcCode = (settings: SettingsShape, endpoint: Endpoint) =>
  Effect.map(Effect.option(askNode(settings, endpoint, codeBehind(settings.network.usdc))), Option.getOrUndefined)

const contracts = (settings: SettingsShape, endpoint: Endpoint) =>
  Effect.map(
    Effect.all([examineUsdc(settings, endpoint), examineGas(settings, endpoint)], { concurrency: "unbounded" }),
    (found) => found.flat()
  )

/** Whether USDC is what payments are signed for, and whether it moves at all. */
const examineUsdc = Effect.fnUntraced(function* (settings: SettingsShape, endpoint: Endpoint) {
  const remedy = `Set ${settings.network.rpcKey} to a node that answers, then look again.`
  const checks = [
    attempt({ report, what: "USDC", remedy }, Effect.mapError(checkDomain(settings, endpoint), asError)),
    attempt({ report, what: "USDC paused", remedy }, Effect.mapError(checkPause(settings, endpoint), asError))
  ]
  return (yield* Effect.all(checks, { concurrency: "unbounded" })).flat()
})

const asError = ({ reason, detail }: NodeFault) => ({ message: `${reason}, ${detail}` })

const checkDomain = Effect.fnUntraced(function* (settings: SettingsShape, endpoint: Endpoint) {
  const { network } = settings
  const fields = yield* askUsdcFields(network, (question) => askNode(settings, endpoint, question))
  const problem = usdcProblem(network, fields)
  if (problem !== undefined) return [report.fail(problem)]
  return [report.ok({ what: "USDC", detail: `${network.usdc.address} is what payments are signed for` })]
})

/** Circle can stop all transfers (`Pausable` of FiatToken). */
const checkPause = Effect.fnUntraced(function* (settings: SettingsShape, endpoint: Endpoint) {
  if (!(yield* askNode(settings, endpoint, isPaused(settings)))) return []
  return [
    report.fail({
      what: "USDC paused",
      detail: "USDC is paused: nothing can be paid",
      remedy: 'Only Circle can end that (status.circle.com). Until then: ai-mint pause --why "USDC is paused".'
    })
  ]
})

const isPaused =
  ({ network }: SettingsShape): RpcCall<boolean> =>
  (node) =>
    readContract(node, { address: network.usdc.address, abi: usdcAbi, functionName: "paused" })

/** Whether the AI Agent Account can pay the gas of a refund. Nothing where there is no such account. */
const examineGas = (settings: SettingsShape, endpoint: Endpoint) => {
  if (settings.aiAgentPrivateKey === undefined) return Effect.succeed([])
  const account = privateKeyToAddress(Redacted.value(settings.aiAgentPrivateKey))
  const what = "gas account"
  const remedy = `Refunds wait until it has gas money: send some ETH on ${settings.network.name} to it.`
  return attempt(
    { report, what, remedy: "Look again when the node answers." },
    askNode(settings, endpoint, (node) => getBalance(node, { address: account })).pipe(
      Effect.mapError(({ reason, detail }) => ({ message: `${account}: ${reason}, ${detail}` })),
      Effect.map((wei) =>
        wei === 0n
          ? [report.warn({ what, detail: `${account} has no ETH`, remedy })]
          : [report.ok({ what, detail: `${account} has ${formatEther(wei)} ETH` })]
      )
    )
  )
}

/** Whether USDC runs the code that the ledger has noted. No finding where no node answered. Pure. */
export const codeFinding = (noted: string | undefined, found: string | undefined): ReadonlyArray<Finding> => {
  if (found === undefined) return []
  const what = "USDC code"
  const runs = found === "none" ? "USDC is no proxy" : `USDC runs the code at ${found}`
  if (noted === undefined) return [report.ok({ what, detail: `${runs}; none is noted yet` })]
  if (noted === found) return [report.ok({ what, detail: `${runs}, as noted` })]
  const detail = `${runs}, and what is noted is ${noted}`
  const remedy =
    "A running executor pauses all payments for it. Look whether the new code is Circle's, then: ai-mint resume."
  return [report.warn({ what, detail, remedy })]
}
