import { type Array as Arr, type Duration, Effect, Ref } from "effect"
import type { NetworkShape } from "../config/Network.ts"
import type { Bytes32 } from "../domain/Address.ts"
import {
  type ChainFingerprint,
  chainProblem,
  problemMessage,
  type UsdcField,
  usdcProblem
} from "../domain/requirements.ts"
import { ChainError, WrongChain } from "./ChainClient.ts"
import { NodeFault } from "./classify.ts"
import type { Endpoint, RpcCall } from "./endpoint.ts"
import { aggregate, type Answers, MULTICALL3, read } from "./multicall.ts"
import { blockAt, chainId } from "./rpcCalls.ts"
import { RETRY, type Rpc, withTimeout } from "./rpc.ts"
import { separatorOf, usdcAbi } from "./usdc.ts"

export const fingerprint: RpcCall<ChainFingerprint & { readonly genesis: Bytes32 }> = async (node) => {
  const [id, first] = await Promise.all([chainId(node), blockAt(0n)(node)])
  return { chainId: id, genesis: first.hash }
}

/**
 * Asks every endpoint which chain it leads to. One that does not answer is tolerated with a warning as long as another
 * does; one that leads elsewhere stops the start.
 */
export const checkEndpoints = Effect.fn("ChainClient.checkEndpoints")(function* (
  endpoints: Arr.NonEmptyReadonlyArray<Endpoint>,
  network: NetworkShape,
  rpcTimeout: Duration.Duration
): Effect.fn.Return<
  { readonly genesis: Bytes32; readonly answering: ReadonlyArray<Endpoint> },
  WrongChain | ChainError
> {
  const [answering, silent] = yield* Effect.partition(
    endpoints,
    (endpoint) =>
      endpoint.ask(fingerprint).pipe(
        Effect.retry(RETRY),
        withTimeout(rpcTimeout),
        Effect.mapBoth({
          onFailure: (fault) => `${endpoint.host}: ${fault.reason} (${fault.detail})`,
          onSuccess: (found) => ({ endpoint, host: endpoint.host, ...found })
        })
      ),
    { concurrency: "unbounded" }
  )
  const [first] = answering
  if (first === undefined) {
    const operation = `ask the nodes of ${network.rpcKey}`
    return yield* new ChainError({ reason: "Unavailable", operation, detail: silent.join("; ") })
  }
  for (const node of answering) {
    const problem = chainProblem(network, node, first)
    if (problem === undefined) continue
    return yield* new WrongChain({ message: `${network.rpcKey}: ${problem.detail}. ${problem.remedy}` })
  }
  for (const fault of silent) yield* Effect.logWarning(`No answer from a node of ${network.rpcKey}: ${fault}`)
  return { genesis: first.genesis, answering: answering.map(({ endpoint }) => endpoint) }
})

/**
 * Passes an endpoint that leads to the chain found at the start. One that was silent at the start is asked for its chain
 * before its first answer counts: nothing about money is believed of an unknown chain.
 */
export const makeVerifyEndpoint = Effect.fnUntraced(function* (
  network: NetworkShape,
  genesis: Bytes32,
  answering: ReadonlyArray<Endpoint>
) {
  const verified = yield* Ref.make(answering)
  return Effect.fnUntraced(function* (endpoint: Endpoint): Effect.fn.Return<void, NodeFault> {
    if ((yield* Ref.get(verified)).includes(endpoint)) return
    const found = yield* endpoint.ask(fingerprint)
    const first = { host: "", chainId: network.chainId, genesis }
    if (chainProblem(network, { host: endpoint.host, ...found }, first) !== undefined) {
      const detail = `it leads to another chain: take it out of ${network.rpcKey}`
      return yield* new NodeFault({ reason: "Unavailable", detail })
    }
    yield* Ref.update(verified, (before) => [...before, endpoint])
  })
})

/** The EIP-712 domain that USDC states. A node without Multicall3 fails as `Unreadable`. */
export const askUsdcFields = <E>(
  network: NetworkShape,
  ask: (question: RpcCall<Answers<string>>) => Effect.Effect<Answers<string>, E>
): Effect.Effect<ReadonlyArray<UsdcField>, E> => {
  const { usdc } = network
  const fields = [
    { field: "name", view: "name", expected: usdc.name },
    { field: "version", view: "version", expected: usdc.version },
    { field: "domain separator", view: "DOMAIN_SEPARATOR", expected: separatorOf(network) }
  ] as const
  const reads = fields.map(({ view }) => read(usdc.address, usdcAbi, view))
  return Effect.map(ask(aggregate<string>(reads)), ({ answers }) =>
    fields.map(({ field, expected }, index) => ({
      field,
      expected,
      found: answers[index]
    }))
  )
}

/** Fails where USDC does not state the domain that payments are signed for. */
export const checkUsdc = Effect.fn("ChainClient.checkUsdc")(function* (
  rpc: Rpc,
  network: NetworkShape
): Effect.fn.Return<void, WrongChain | ChainError> {
  const fields = yield* askUsdcFields(network, (question) => rpc.ask("check USDC", question)).pipe(
    Effect.catchIf(
      ({ reason }) => reason === "Unreadable",
      ({ detail }) => new WrongChain({ message: noMulticall(network, detail) })
    )
  )
  const problem = usdcProblem(network, fields)
  if (problem !== undefined) return yield* new WrongChain({ message: problemMessage(problem) })
})

const noMulticall = (network: NetworkShape, detail: string): string =>
  `There is no Multicall3 at ${MULTICALL3} on the chain behind ${network.rpcKey} (${detail}). ` +
  `Set ${network.rpcKey} to a node of ${network.name}.`
