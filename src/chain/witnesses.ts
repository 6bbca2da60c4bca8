import { Effect } from "effect"
import type { SettingsShape } from "../config/Settings.ts"
import { makeReadAuthorizations } from "./authorizations.ts"
import { makeReadBalances } from "./balances.ts"
import { makeReadHashes } from "./blockHashes.ts"
import type { ChainClient } from "./ChainClient.ts"
import type { Confirmed } from "./confirmed.ts"
import { makeFindMints } from "./mintToken.ts"
import type { Rpc } from "./rpc.ts"
import { makeFindDeposits } from "./transfers.ts"

/** Each endpoint by itself: no answer of another one stands in for its own, and a block that it lacks is no answer. */
export const makeWitnesses = (
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
