import { Effect } from "effect"
import { counted } from "../domain/text.ts"
import { remainingCost, shortId } from "../domain/Task.ts"
import { findTask, soundTask } from "./find.ts"
import { commit } from "./commit.ts"
import { refuse } from "./Operator.ts"
import type { Adopted } from "./reports/decisions.ts"
import type { AdoptBody } from "./requests.ts"
import type { Services } from "./services.ts"

/**
 * Takes over an order that v1.1 was minting, with what v1.1 paid for it unproven, and without waiting for its hour to be over. The
 * person says how many mints were really delivered; the others are paid for.
 */
export const adopt = Effect.fn("operator.adopt")(function* (
  services: Services,
  name: string,
  { mints, why }: AdoptBody
) {
  const file = yield* findTask(services, name)
  const { task, wallet } = yield* soundTask(file)
  const short = shortId(task.id)
  if (file.batches.length > 0) {
    return yield* refuse(
      `Task ${short} was planned by this program: nothing of v1.1's is left in it. Try: ai-mint retry ${short}`
    )
  }
  if (task.status !== "processing" && task.status !== "funded") {
    return yield* refuse(`Task ${short} is ${task.status}: only what v1.1 was minting can be taken over.`)
  }
  const delivered = mints ?? task.mintsCompleted
  if (delivered < 0 || delivered > task.quantity) {
    return yield* refuse(`--mints is ${delivered}: task ${short} has 0 to ${task.quantity} of them.`)
  }
  const { agentAddress: payer } = wallet
  const sinceMs = task.startedAtMs ?? task.createdAtMs
  const paid = yield* services.chain.paidSince({ payer, payTo: task.token, sinceMs })
  const decision = {
    command: "adopt",
    said: `task ${task.id} goes on with ${counted(delivered, "mint")} delivered`,
    why
  }
  yield* commit(`Task ${short}`, decision, (made, nowMs) =>
    services.decisions.release({ task, adopt: { mintsCompleted: delivered } }, made, nowMs)
  )
  const cost = remainingCost({ ...task, mintsCompleted: delivered })
  return {
    command: "adopt",
    taskId: task.id,
    delivered,
    mints: task.quantity - delivered,
    cost,
    paid
  } satisfies Adopted as Adopted
})
