import { Array as Arr, type Duration, Effect, Option } from "effect"
import type { NetworkShape } from "../config/Network.ts"
import type { Bytes32 } from "../domain/Address.ts"
import { ChainError, WrongChain } from "./ChainClient.ts"
import type { Fault } from "./classify.ts"
import type { Endpoint, Question } from "./endpoint.ts"
import { aggregate, MULTICALL3, read } from "./multicall.ts"
import { blockAt, chainId } from "./questions.ts"
import { RETRY, type Rpc, withTimeout } from "./rpc.ts"
import { separatorOf, usdcAbi } from "./usdc.ts"

/** What tells one chain from another: two chains may bear the same id, but not the same first block. */
export interface Identity {
  readonly chainId: number
  readonly genesis: Bytes32
}

export const identity: Question<Identity> = async (node) => {
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
      endpoint.ask(identity).pipe(
        Effect.retry(RETRY),
        withTimeout(rpcTimeout),
        Effect.mapBoth({
          onFailure: (fault) => `${endpoint.host}: ${fault.reason} (${fault.detail})`,
          onSuccess: (found) => ({ endpoint, ...found })
        })
      ),
    { concurrency: "unbounded" }
  )
  const [first, ...others] = answering
  if (first === undefined) {
    const operation = `ask the nodes of ${network.rpcKey}`
    return yield* new ChainError({ reason: "Unavailable", operation, detail: silent.join("; ") })
  }
  for (const { endpoint, chainId } of answering) {
    if (chainId === network.chainId) continue
    return yield* new WrongChain({ message: otherChain(network, endpoint, chainId) })
  }
  for (const { endpoint, genesis } of others) {
    if (genesis === first.genesis) continue
    return yield* new WrongChain({ message: twoChains(network, first.endpoint, endpoint) })
  }
  for (const words of silent) yield* Effect.logWarning(`No answer from a node of ${network.rpcKey}: ${words}`)
  return { genesis: first.genesis, answering: answering.map(({ endpoint }) => endpoint) }
})

/**
 * Lets an endpoint be asked that has shown to lead to the chain found at the start. One that was silent then must show
 * it before its first answer counts: nothing about money is believed of an unknown chain.
 */
export const makeVouch = (network: NetworkShape, genesis: Bytes32, answering: ReadonlyArray<Endpoint>) => {
  const known = new Set(answering)
  return Effect.fnUntraced(function* (endpoint: Endpoint): Effect.fn.Return<void, Fault> {
    if (known.has(endpoint)) return
    const found = yield* endpoint.ask(identity)
    if (found.chainId !== network.chainId || found.genesis !== genesis) {
      const detail = `it leads to another chain: take it out of ${network.rpcKey}`
      return yield* Effect.fail({ reason: "Unavailable" as const, detail })
    }
    known.add(endpoint)
  })
}

/** What USDC must say of itself, and how it is asked: the reads are in the order of the fields. */
export const usdcClaims = (network: NetworkShape) => {
  const { usdc } = network
  const fields = [
    { field: "name", view: "name", expected: usdc.name },
    { field: "version", view: "version", expected: usdc.version },
    { field: "domain separator", view: "DOMAIN_SEPARATOR", expected: separatorOf(network) }
  ] as const
  return { fields, reads: fields.map(({ view }) => read(usdc.address, usdcAbi, view)) }
}

/** The contract must say of itself what payments will be signed for, or every signature would be invalid there. */
export const checkUsdc = Effect.fn("ChainClient.checkUsdc")(function* (
  rpc: Rpc,
  network: NetworkShape
): Effect.fn.Return<void, WrongChain | ChainError> {
  const { fields, reads } = usdcClaims(network)
  const { answers } = yield* rpc.ask("check USDC", aggregate(reads)).pipe(
    Effect.catchIf(
      ({ reason }) => reason === "Unreadable",
      ({ detail }) => new WrongChain({ message: noMulticall(network, detail) })
    )
  )
  for (const [{ field, expected }, answer] of Arr.zip(fields, answers)) {
    if (Option.contains(answer, expected)) continue
    return yield* new WrongChain({ message: otherUsdc(network, { field, expected, answer }) })
  }
})

const otherChain = (network: NetworkShape, endpoint: Endpoint, chainId: number): string =>
  `${network.rpcKey}: ${endpoint.host} leads to chain ${chainId}, but NETWORK=${network.name} is chain ` +
  `${network.chainId}. Set ${network.rpcKey} to a node of chain ${network.chainId}, or NETWORK to the network you mean.`

const twoChains = (network: NetworkShape, one: Endpoint, other: Endpoint): string =>
  `${network.rpcKey}: ${one.host} and ${other.host} lead to two different chains with the id ${network.chainId} ` +
  `(their first blocks differ). Keep only nodes of one chain in ${network.rpcKey}.`

const noMulticall = (network: NetworkShape, detail: string): string =>
  `There is no Multicall3 at ${MULTICALL3} on the chain behind ${network.rpcKey} (${detail}). ` +
  `Set ${network.rpcKey} to a node of ${network.name}.`

const otherUsdc = (
  network: NetworkShape,
  {
    field,
    expected,
    answer
  }: { readonly field: string; readonly expected: string; readonly answer: Option.Option<string> }
): string =>
  `The contract at ${network.usdc.address} on the chain behind ${network.rpcKey} ` +
  Option.match(answer, {
    onNone: () => `tells no ${field}: it is not USDC. `,
    onSome: (found) => `says that its ${field} is "${found}". `
  }) +
  `Payments would be signed for ${field} "${expected}", and be invalid. Set ${network.rpcKey} to a node of ${network.name}.`
