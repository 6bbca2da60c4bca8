import { Effect } from "effect"
import { type Batch, isInFlight } from "../domain/Batch.ts"
import { blockBefore } from "../domain/Block.ts"
import { shortId } from "../domain/Task.ts"
import type { TaskFile } from "../ledger/DecisionRepo.ts"
import { mintKey } from "../ledger/TaskRepo.ts"
import { refuse } from "./Operator.ts"
import type { Services } from "./services.ts"

/** No trace of a batch is older: the block in which it was signed, or that of its order. */
export const firstTrace = Effect.fnUntraced(function* ({ settings, chain }: Services, { row }: TaskFile, batch: Batch) {
  if (batch.window !== undefined) return batch.window.block
  const block = yield* chain.confirmedBlock
  return blockBefore(
    block,
    Number.isFinite(row.createdAtMs) ? row.createdAtMs : block.timeMs,
    settings.network.blockSeconds
  )
})

/**
 * Mints of the batch's token to its person since then that belong to no batch, oldest first. Refused while another batch
 * of them is in flight: they may be its own, and nothing tells them apart.
 */
export const unclaimedMints = Effect.fnUntraced(function* (services: Services, file: TaskFile, batch: Batch) {
  yield* noneBeside(services, batch)
  const { token, recipient, portion } = batch
  const fromBlock = (yield* firstTrace(services, file, batch)) + (batch.window === undefined ? 0n : 1n)
  const mints = yield* services.chain.findMints({ token, recipient, fromBlock, portion })
  const claimed = yield* services.tasks.attributedMints({ token, recipient }, mints)
  return mints.filter((mint) => !claimed.has(mintKey(mint)))
})

const noneBeside = Effect.fnUntraced(function* ({ tasks }: Services, { walletId, token, recipient, nonce }: Batch) {
  const { batches } = yield* tasks.walletWork(walletId)
  const other = batches.find(
    (one) => isInFlight(one) && one.token === token && one.recipient === recipient && one.nonce !== nonce
  )
  if (other === undefined) return
  return yield* refuse(
    `Batch ${other.number} of task ${shortId(other.taskId)} is ${other.status}, of the same token for the same person: ` +
      "mints on chain may be its own. Wait until it is delivered, or decide that one first."
  )
})
