import { Array as Arr, Context, Effect, Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { Settings, type SettingsShape } from "../config/Settings.ts"
import { makeReadAuthorizations } from "./authorizations.ts"
import { makeReadBalances } from "./balances.ts"
import { ChainClient, ChainError, type WrongChain } from "./ChainClient.ts"
import { notingDates } from "./believable.ts"
import { type Confirmed, makeConfirmed, makeConfirmedBlock } from "./confirmed.ts"
import { makeEndpoint } from "./endpoint.ts"
import { rpcBegan } from "./metrics.ts"
import { Facilitator } from "./Facilitator.ts"
import { makeFacilitator } from "./FacilitatorX402.ts"
import { makeFindMints, makeReadPortion, makeReadRemainingSupply } from "./mintToken.ts"
import { makeHeads, noSubscriptions } from "./heads.ts"
import { makeNodes } from "./nodes.ts"
import { codeOf } from "./rpcCalls.ts"
import { makeReadHashes, makeReadMined } from "./lookups.ts"
import { makeRpc } from "./rpc.ts"
import { makeSender } from "./sender.ts"
import { checkEndpoints, checkUsdc, makeVerifyEndpoint } from "./startChecks.ts"
import type { SubscriptionOptions } from "./subscriptions.ts"
import { makeUsdcCode, makeUsdcCodes } from "./usdcCode.ts"
import { makeUsdcState } from "./usdcState.ts"
import { makeFindDeposits, makeFindPaid, makeFindSpending, makePaidSince } from "./transfers.ts"
import type { Rpc } from "./rpc.ts"

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const { network, rpcUrls, wsUrls, rpcTimeout, confirmations, aiAgentPrivateKey, mintPortions, mintStock } = settings
  const fetch = yield* FetchHttpClient.Fetch
  const context = yield* Effect.context<never>()
  const endpoints = rpcUrls.map((url) => makeEndpoint(url, notingDates(fetch, context)))
  if (!Arr.isReadonlyArrayNonEmpty(endpoints)) {
    const detail = `${network.rpcKey} names no URL`
    return yield* new ChainError({ reason: "Unavailable", operation: "find a node", detail })
  }

  yield* rpcBegan(endpoints.map(({ host }) => host))
  const { genesis, answering } = yield* checkEndpoints(endpoints, network, rpcTimeout)
  const verifyEndpoint = yield* makeVerifyEndpoint(network, genesis, answering)
  const rpc = yield* makeRpc({ endpoints, verifyEndpoint, rpcTimeout })
  yield* checkUsdc(rpc, network)
  const confirmed = yield* makeConfirmed(rpc, confirmations)
  const first = { host: answering[0]?.host ?? "", chainId: network.chainId, genesis }
  const subscriptions = yield* subscriptionsTo({ urls: wsUrls, network, first })

  const { sendCall, ...sender } = makeSender(rpc, network, aiAgentPrivateKey)

  const client = ChainClient.of({
    genesis,
    nodes: makeNodes(endpoints, rpcTimeout),
    readHashes: makeReadHashes(rpc),
    witnesses: makeWitnesses(rpc, { network, mintStock }),
    ...makeConfirmedBlock(rpc, confirmed),
    readBalances: makeReadBalances(rpc, confirmed, network.usdc),
    readAuthorizations: makeReadAuthorizations(rpc, confirmed, network.usdc),
    subscriptions: subscriptions.health,
    ...(yield* makeHeads(rpc, network, subscriptions)),
    findPaid: makeFindPaid(rpc, network),
    usdcCode: makeUsdcCode(rpc, confirmed, network.usdc),
    usdcCodes: makeUsdcCodes(rpc, confirmed, network.usdc),
    usdcState: makeUsdcState(rpc, network.usdc),
    readRemainingSupply: makeReadRemainingSupply(rpc, confirmed, mintPortions),
    readPortion: makeReadPortion(rpc, confirmed, mintPortions),
    findMints: makeFindMints(rpc, confirmed, mintStock),
    readMined: makeReadMined(rpc, confirmed),
    findDeposits: makeFindDeposits(rpc, network),
    findSpending: makeFindSpending(rpc, network),
    codeOf: (account) => rpc.ask("read the code of an account", codeOf(account)),
    paidSince: makePaidSince(rpc, confirmed, network),
    ...sender
  })
  return Context.make(ChainClient, client).pipe(Context.add(Facilitator, makeFacilitator({ rpc, settings, sendCall })))
})

/**
 * The chain over JSON-RPC, by viem. Builds only where every node that answers leads to the chain of `NETWORK`, and USDC
 * there is what payments are signed for.
 */
export const layer: Layer.Layer<ChainClient | Facilitator, WrongChain | ChainError, Settings> =
  Layer.effectContext(make)

/** Loaded where there are WebSocket URLs alone: it takes a moment at the start. */
const subscriptionsTo = (options: SubscriptionOptions) =>
  options.urls.length === 0
    ? Effect.succeed(noSubscriptions)
    : Effect.flatMap(
        Effect.promise(() => import("./subscriptions.ts")),
        ({ makeSubscriptions }) => makeSubscriptions(options)
      )

/** Each endpoint alone: no other one answers in its place, and a block that it lacks is no answer. */
const makeWitnesses = (
  rpc: Rpc,
  { network, mintStock }: Pick<SettingsShape, "network" | "mintStock">
): ChainClient["Service"]["witnesses"] =>
  Effect.fn("ChainClient.witnesses")(function* (block) {
    const atBlock: Confirmed = { at: (_, read) => read(block) }
    return (yield* rpc.apart).map(({ host, rpc: node }) => ({
      host,
      readHashes: makeReadHashes(node),
      readBalances: makeReadBalances(node, atBlock, network.usdc),
      readAuthorizations: makeReadAuthorizations(node, atBlock, network.usdc),
      findMints: makeFindMints(node, atBlock, mintStock),
      findDeposits: makeFindDeposits(node, network)
    }))
  })
