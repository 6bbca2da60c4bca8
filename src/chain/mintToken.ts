import { Effect, Option } from "effect"
import { parseAbi, toEventSelector } from "viem"
import { ZERO } from "../domain/Address.ts"
import type { ChainClient, Mint } from "./ChainClient.ts"
import type { Confirmed } from "./confirmed.ts"
import { findLogs } from "./logs.ts"
import { read, readApartAt } from "./multicall.ts"
import type { Log } from "./answers.ts"
import type { Rpc } from "./rpc.ts"
import { topicOf, TRANSFER } from "./usdc.ts"

/** A token tells its limit in one of two ways, or not at all. */
const supplyAbi = parseAbi([
  "function remainingSupply() view returns (uint256)",
  "function maxMintCount() view returns (uint256)",
  "function mintCount() view returns (uint256)"
])

const TOKENS_MINTED = toEventSelector("TokensMinted(address,uint256,bytes32)")

export const makeReadRemainingSupply = (
  rpc: Rpc,
  confirmed: Confirmed
): ChainClient["Service"]["readRemainingSupply"] => {
  const operation = "read the remaining supply"
  return Effect.fn("ChainClient.readRemainingSupply")(function* (token) {
    const reads = (["remainingSupply", "maxMintCount", "mintCount"] as const).map((view) =>
      read(token, supplyAbi, view)
    )
    const answers = yield* confirmed.at(operation, (block) => readApartAt(rpc, operation, reads, block))
    const [remaining = none, limit = none, minted = none] = answers
    const difference = Option.zipWith(limit, minted, (most, count) => (most > count ? most - count : 0n))
    return Option.getOrUndefined(Option.orElse(remaining, () => difference))
  })
}

const none = Option.none<bigint>()

/** `TokensMinted` where the token has it, else what ERC-20 and ERC-721 alike log for a mint: a `Transfer` from nobody. */
export const makeFindMints = (rpc: Rpc, confirmed: Confirmed): ChainClient["Service"]["findMints"] => {
  const operation = "find mints"
  return Effect.fn("ChainClient.findMints")(({ token, recipient, fromBlock }) =>
    confirmed.at(
      operation,
      Effect.fnUntraced(function* (toBlock) {
        const range = { address: token, fromBlock, toBlock }
        const events = yield* findLogs(
          rpc,
          operation,
          { ...range, topics: [TOKENS_MINTED, topicOf(recipient)] },
          toMint
        )
        if (events.length > 0) return events
        return yield* findLogs(
          rpc,
          operation,
          { ...range, topics: [TRANSFER, topicOf(ZERO), topicOf(recipient)] },
          toMint
        )
      })
    )
  )
}

const toMint = ({ tx, logIndex, block }: Log): Mint => ({ tx, logIndex, block })
