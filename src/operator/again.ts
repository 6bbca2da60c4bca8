import { Effect } from "effect"
import type { Batch } from "../domain/Batch.ts"
import { shortId } from "../domain/Task.ts"
import type { TaskFile } from "../ledger/DecisionRepo.ts"
import { refuse } from "./Operator.ts"
import type { Services } from "./services.ts"
import { firstTrace, unclaimedMints } from "./unclaimed.ts"

/**
 * Mints on chain that kept a batch from being paid, and that are not of this order: the person made them, or got them
 * elsewhere. They are set aside for good, and the batch is paid for as it was ordered, under its own nonce. Only where the
 * chain proves that it never was paid and that no signed payment of it is still good; `block` is the block of that proof.
 */
export const straysOf = Effect.fnUntraced(function* (services: Services, file: TaskFile, batch: Batch) {
  const named = `Batch ${batch.number} of task ${shortId(batch.taskId)}`
  const block = yield* provenUnpaid(services, file, batch, named)
  return { strays: yield* unclaimedMints(services, file, batch), block }
})

const provenUnpaid = Effect.fnUntraced(function* (services: Services, file: TaskFile, batch: Batch, named: string) {
  const { payer, nonce, window } = batch
  const fromBlock = yield* firstTrace(services, file, batch)
  const { block, outcomes } = yield* services.chain.readAuthorizations([{ payer, nonce, fromBlock }])
  switch (outcomes[0]?._tag ?? "Unexplained") {
    case "Used":
      return yield* refuse(
        `${named} was paid. What is paid is never paid again: resolve it as delivered, or as failed.`
      )
    case "Canceled":
      return yield* refuse(`The nonce of ${named} is cancelled and can pay for nothing: resolve it as replaced.`)
    case "Unexplained":
      return yield* refuse(
        `The nonce of ${named} is spent, and the node has no log that says how: try again, or on a node with older logs.`
      )
    case "Unused":
      if (window === undefined || block.timeMs >= window.validBefore * 1000) return block
      return yield* refuse(
        `A payment of ${named} was signed and is still good by the clock of the chain: try again in a few minutes.`
      )
  }
})
