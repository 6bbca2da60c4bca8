import { Array as Arr, Effect } from "effect"
import type { ChainClient } from "./ChainClient.ts"
import { REQUESTS_PER_BATCH } from "./endpoint.ts"
import { blockAt } from "./rpcCalls.ts"
import type { Rpc } from "./rpc.ts"

export const makeReadHashes = (rpc: Rpc): ChainClient["Service"]["readHashes"] =>
  Effect.fn("ChainClient.readHashes")(function* (blocks) {
    const parts = yield* Effect.forEach(Arr.chunksOf(blocks, REQUESTS_PER_BATCH), (chunk) =>
      rpc.ask("read block hashes", (node) => Promise.all(chunk.map((number) => blockAt(number)(node))))
    )
    return parts.flat().map(({ hash }) => hash)
  })
