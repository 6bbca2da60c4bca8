import { Array as Arr, Effect } from "effect"
import { parseAbi } from "viem"
import type { SettingsShape } from "../config/Settings.ts"
import type { Address } from "../domain/Address.ts"
import type { ChainClient, ChainError, Mint } from "./ChainClient.ts"
import { type Confirmed, oncePerBlock } from "./confirmed.ts"
import type { Log } from "./answers.ts"
import { gather } from "./gather.ts"
import { findLogs, isShortSearch, searchKey, TOPICS_PER_FILTER } from "./logs.ts"
import { isMintTo, mintFilters, mintsIn, sellersOf, wideMintFilters } from "./mintEvents.ts"
import { read, readApartAt } from "./multicall.ts"
import type { Rpc } from "./rpc.ts"

/** How a token tells its limit, and what one mint of it is, if it does. */
const tokenAbi = parseAbi([
  "function remainingSupply() view returns (uint256)",
  "function maxMintCount() view returns (uint256)",
  "function mintCount() view returns (uint256)",
  "function MINT_AMOUNT() view returns (uint256)",
  "function mintAmount() view returns (uint256)",
  "function supportsInterface(bytes4 interfaceId) view returns (bool)"
])

/** Of ERC-721, whose every piece has a number. Source: EIP-721, "ERC-165 identifier". */
const ERC721 = "0x80ac58cd"

/** Base units in one mint of a token, as operators set them. */
export type Portions = SettingsShape["mintPortions"]

/**
 * Counts of mints come first: `remainingSupply` of v1.1's token family is in base units, so it has to be divided by the
 * portion of one mint. Where no portion is known it is taken as it is: no more mints than that can be left.
 */
export const makeReadRemainingSupply = (
  rpc: Rpc,
  confirmed: Confirmed,
  portions: Portions
): ChainClient["Service"]["readRemainingSupply"] => {
  const operation = "read the remaining supply"
  const readAt = oncePerBlock(
    Effect.fnUntraced(function* (block: bigint, token: Address) {
      const views = ["maxMintCount", "mintCount", "remainingSupply"] as const
      const reads = views.map((view) => read(token, tokenAbi, view))
      const [limit, minted, remaining] = yield* readApartAt(rpc, operation, reads, block)
      if (limit !== undefined && limit > 0n && minted !== undefined) return limit > minted ? limit - minted : 0n
      // A token without a limit says 0 to both questions.
      if (remaining === undefined || (limit === 0n && remaining === 0n)) return undefined
      const portion = yield* portionAt(rpc, operation, portions, token, block)
      return portion === undefined || (yield* hasNumbers(rpc, operation, token, block))
        ? remaining
        : remaining / portion
    })
  )
  return Effect.fn("ChainClient.readRemainingSupply")((token) =>
    confirmed.at(operation, (block) => readAt(block, token))
  )
}

/** The base units of a token in one mint: the token's own figure, else the setting. */
export const makeReadPortion = (
  rpc: Rpc,
  confirmed: Confirmed,
  portions: Portions
): ChainClient["Service"]["readPortion"] => {
  const operation = "read the portion of a mint"
  return Effect.fn("ChainClient.readPortion")((token) =>
    confirmed.at(operation, (block) => portionAt(rpc, operation, portions, token, block))
  )
}

const portionAt = Effect.fnUntraced(function* (
  rpc: Rpc,
  operation: string,
  portions: Portions,
  token: Address,
  block: bigint
) {
  const reads = (["MINT_AMOUNT", "mintAmount"] as const).map((view) => read(token, tokenAbi, view))
  const answers = yield* readApartAt(rpc, operation, reads, block)
  return answers.find((portion) => portion !== undefined && portion > 0n) ?? portions.get(token)
})

const hasNumbers = Effect.fnUntraced(function* (rpc: Rpc, operation: string, token: Address, block: bigint) {
  const [isErc721] = yield* readApartAt(rpc, operation, [read(token, tokenAbi, "supportsInterface", [ERC721])], block)
  return isErc721 === true
})

/** Which events count: `mintEvents.ts`. A log that an answer leaves out can only make it fewer mints, see there. */
export const makeFindMints = (
  rpc: Rpc,
  confirmed: Confirmed,
  stock: SettingsShape["mintStock"]
): ChainClient["Service"]["findMints"] => {
  const operation = "find mints"
  const logsBy = (node: Rpc) => makeFindMintLogs(node, stock)
  const logsByAny = logsBy(rpc)
  return Effect.fn("ChainClient.findMints")(({ portion, everywhere = false, ...wanted }) =>
    confirmed.at(operation, (toBlock) => {
      // A batch that was signed by the newest block has none to be searched yet.
      if (wanted.fromBlock > toBlock) return Effect.succeed([])
      const search = (node: Rpc) => {
        const logs = (node === rpc ? logsByAny : logsBy(node))(operation, { ...wanted, toBlock })
        return Effect.map(logs, (found) => mintsIn(found, portion))
      }
      return everywhere ? fullest(rpc, search) : search(rpc)
    })
  )
}

/** A search for the mints of a token to one person. */
interface MintSearch {
  readonly token: Address
  readonly recipient: Address
  readonly fromBlock: bigint
  readonly toBlock: bigint
}

/** The mints of one token to all who ask in a moment are one search. */
const makeFindMintLogs = (rpc: Rpc, stock: SettingsShape["mintStock"]) =>
  gather<MintSearch, ReadonlyArray<Log>>({
    keyOf: ({ token, fromBlock, toBlock }) => `${token} ${searchKey(fromBlock, toBlock)}`,
    askAll: Effect.fnUntraced(function* (operation, searches) {
      const [{ token, toBlock }] = searches
      const fromBlock = searches.reduce((lowest, one) => (one.fromBlock < lowest ? one.fromBlock : lowest), toBlock)
      const sellers = stock.get(token) ?? []
      const filtersOf = isShortSearch(fromBlock, toBlock) ? wideMintFilters : mintFilters
      const recipients = Arr.dedupe(searches.map(({ recipient }) => recipient))
      const anyOf = Arr.chunksOf(recipients, TOPICS_PER_FILTER).flatMap((some) =>
        filtersOf({ recipients: some, stock: sellers })
      )
      const logs = yield* findLogs(rpc, operation, { address: token, anyOf, fromBlock, toBlock }, (log) => log)
      const from = sellersOf(sellers)
      return searches.map((one) =>
        logs.filter((log) => log.block >= one.fromBlock && isMintTo(one.recipient, from, log))
      )
    })
  })

/** The longest answer of all nodes: a log that one node lacks proves nothing. */
const fullest = Effect.fnUntraced(function* (
  rpc: Rpc,
  search: (node: Rpc) => Effect.Effect<ReadonlyArray<Mint>, ChainError>
) {
  let found = yield* search(rpc)
  const nodes = yield* rpc.apart
  for (const { rpc: node } of nodes.length > 1 ? nodes : []) {
    const other = yield* Effect.orElseSucceed(search(node), (): ReadonlyArray<Mint> => [])
    if (other.length > found.length) found = other
  }
  return found
})
