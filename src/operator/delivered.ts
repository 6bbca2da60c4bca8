import { Effect } from "effect"
import { type Batch, mintsOf } from "../domain/Batch.ts"
import { counted } from "../domain/text.ts"
import { shortId } from "../domain/Task.ts"
import type { TaskFile } from "../ledger/DecisionRepo.ts"
import type { DeliveredMint } from "../ledger/TaskRepo.ts"
import { refuse } from "./Operator.ts"
import type { Services } from "./services.ts"
import { unclaimedMints } from "./unclaimed.ts"

/**
 * The mints of a batch that the person has: those that the chain shows and that belong to no batch and, where it cannot
 * show all of them, as many as the operator says.
 */
export const deliveredMints = Effect.fnUntraced(function* (
  services: Services,
  file: TaskFile,
  batch: Batch,
  attested: number | undefined
) {
  // The person who decides has waited long enough for the transactions that the server named.
  const patient = { ...batch, looks: Number.MAX_SAFE_INTEGER }
  const mints = mintsOf(patient, yield* unclaimedMints(services, file, batch))
  const found = mints.map(({ tx, part, logIndex }, index): DeliveredMint => ({
    tx,
    part,
    logIndex,
    mintNumber: batch.firstMint + batch.minted + index
  }))
  const onChain = batch.minted + found.length
  const minted = attested ?? onChain
  const shown = `The chain shows ${onChain} of the ${counted(batch.quantity, "mint")} of batch ${batch.number} of task ${shortId(batch.taskId)}`
  if (minted < onChain || minted > batch.quantity) {
    return yield* refuse(`${shown}: --mints ${minted} is not between ${onChain} and ${batch.quantity}.`)
  }
  if (attested === undefined && onChain < batch.quantity) {
    return yield* refuse(
      `${shown}. If the person has more, say how many of the batch with --mints ${batch.quantity}; ` +
        `else --as failed gives up what is missing.`
    )
  }
  return { minted, found }
})
