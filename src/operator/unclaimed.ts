import { Effect } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import type { Batch } from "../domain/Batch.ts"
import { blockBefore } from "../domain/Block.ts"
import type { TaskFile } from "../task/DecisionRepo.ts"
import { mintKey, TaskRepo } from "../task/TaskRepo.ts"

/** No trace of a batch is older: the block in which it was signed, or that of its order. */
export const firstTrace = Effect.fnUntraced(function* ({ row }: TaskFile, batch: Batch) {
  if (batch.window !== undefined) return batch.window.block
  const { network } = yield* Settings
  const block = yield* (yield* ChainClient).confirmedBlock
  return blockBefore(block, Number.isFinite(row.createdAtMs) ? row.createdAtMs : block.timeMs, network.blockSeconds)
})

/** Mints of the batch's token to its person since then that belong to no batch, oldest first. */
export const unclaimedMints = Effect.fnUntraced(function* (file: TaskFile, batch: Batch) {
  const { token, recipient } = batch
  const fromBlock = (yield* firstTrace(file, batch)) + (batch.window === undefined ? 0n : 1n)
  const mints = yield* (yield* ChainClient).findMints({ token, recipient, fromBlock })
  const claimed = yield* (yield* TaskRepo).attributedMints(mints)
  return mints.filter((mint) => !claimed.has(mintKey(mint)))
})
