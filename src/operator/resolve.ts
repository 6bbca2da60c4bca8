import { Clock, Effect } from "effect"
import { type Batch, isInFlight } from "../domain/Batch.ts"
import { expire, resolve as resolveStep } from "../domain/transferTransitions.ts"
import type { Block } from "../domain/Block.ts"
import { shortId } from "../domain/Task.ts"
import type { BatchResolution, TaskFile } from "../ledger/DecisionRepo.ts"
import { deliveredMints } from "./delivered.ts"
import { findTask, isOpen } from "./find.ts"
import { commit } from "./commit.ts"
import { refuse } from "./Operator.ts"
import { replacementFor, straysOf } from "./buyAgain.ts"
import type { Resolved } from "./reports/decisions.ts"
import type { ResolveBody } from "./requests.ts"
import type { Services } from "./services.ts"

/** Decides what the rules cannot: a batch that is held, or paid and not delivered; or gives a task up. */
export const resolve = Effect.fn("operator.resolve")(function* (
  services: Services,
  name: string,
  decision: ResolveBody
) {
  const { as, why } = decision
  const file = yield* findTask(services, name)
  const batch = yield* batchToDecide(file, decision)
  if (decision.mints !== undefined && as !== "delivered") {
    return yield* refuse("--mints goes with --as delivered only.")
  }
  if (batch === undefined) return yield* failTask(services, file, why)
  const { minted, unpaidUpTo: block, ...rest } = yield* consequencesOf(services, file, batch, decision)
  const nowMs = yield* Clock.currentTimeMillis
  const words = `${as}: ${why}`
  const after = block === undefined ? resolveStep(batch, minted, words, nowMs) : expire(batch, { nowMs, block }, words)
  const resolution = { before: batch, after, ...rest }
  const said = `batch ${batch.number} of task ${batch.taskId} is ${as}`
  yield* commit(`Task ${shortId(batch.taskId)}`, { command: "resolve", said, why }, (made) =>
    services.decisions.resolveBatch(resolution, made, nowMs)
  )
  return {
    command: "resolve",
    taskId: batch.taskId,
    batch: batch.number,
    as,
    minted,
    onChain: batch.minted + resolution.mints.length,
    quantity: batch.quantity,
    replacement: resolution.replacement?.number,
    setAside: resolution.strays?.length ?? 0,
    failed: resolution.failure !== undefined
  } satisfies Resolved as Resolved
})

const isUndecided = ({ status }: Batch): boolean => status === "held" || status === "paid"

/** `undefined` where there is none to be decided and the task itself is to fail. */
const batchToDecide = Effect.fnUntraced(function* ({ row, batches }: TaskFile, { batch: number, as }: ResolveBody) {
  const short = shortId(row.id)
  const undecided = batches.filter(isUndecided)
  if (number !== undefined) {
    const batch = batches.find((candidate) => candidate.number === number)
    if (batch === undefined) return yield* refuse(`Task ${short} has no batch ${number}.`)
    if (isUndecided(batch)) return batch
    return yield* refuse(
      `Batch ${number} of task ${short} is ${batch.status}: only one that is held, or paid, is to be decided.`
    )
  }
  if (undecided.length > 1) {
    const list = undecided.map((batch) => `${batch.number} (${batch.status})`).join(", ")
    return yield* refuse(`Task ${short} has several batches to decide: ${list}. Give one with --batch.`)
  }
  if (undecided.length === 0 && as !== "failed") {
    return yield* refuse(`No batch of task ${short} is held or paid: nothing is to be decided.`)
  }
  return undecided[0]
})

/** What the decision changes, beside the batch's own step. */
type Consequences = Omit<BatchResolution, "before" | "after"> & {
  readonly minted: number
  /** The batch is to be paid after all: up to this block it was not. */
  readonly unpaidUpTo?: Block
}

const consequencesOf = Effect.fnUntraced(function* (
  services: Services,
  file: TaskFile,
  batch: Batch,
  { as, mints, why }: ResolveBody
) {
  const nothing: Consequences = { minted: batch.minted, mints: [], replacement: undefined, failure: undefined }
  switch (as) {
    case "delivered": {
      const { minted, found } = yield* deliveredMints(services, file, batch, mints)
      return { ...nothing, minted, mints: found }
    }
    case "replaced":
      yield* notCompleted(file, batch)
      return { ...nothing, ...(yield* replacementFor(services, file, batch)) }
    case "again": {
      yield* notCompleted(file, batch)
      if (batch.status === "paid" || batch.paymentTx !== undefined) {
        const named = `Batch ${batch.number} of task ${shortId(batch.taskId)}`
        return yield* refuse(`${named} was paid: resolve it as delivered, or as failed.`)
      }
      const { strays, block } = yield* straysOf(services, file, batch)
      return { ...nothing, strays, unpaidUpTo: block }
    }
    case "failed": {
      yield* noneInFlight(file, batch)
      // A task that has ended already keeps its end.
      return isOpen(file.row.status) ? { ...nothing, failure: failureOf(why) } : nothing
    }
  }
})

/** A payment may leave the chain after its order was completed: nothing more is bought for an order that is over. */
const notCompleted = Effect.fnUntraced(function* ({ row }: TaskFile, { number }: Batch) {
  if (row.status !== "completed") return
  return yield* refuse(
    `Task ${shortId(row.id)} is completed, and nothing more is bought for it. ` +
      `Resolve batch ${number} as delivered, with --mints for what the person has, or as failed.`
  )
})

const failureOf = (why: string): string => `Failed by the operator: ${why}`

const noneInFlight = Effect.fnUntraced(function* ({ row, batches }: TaskFile, besides?: Batch) {
  const busy = batches.find((batch) => batch !== besides && isInFlight(batch))
  if (busy === undefined) return
  return yield* refuse(
    `Batch ${busy.number} of task ${shortId(row.id)} is ${busy.status}: ${busy.reason ?? "no reason is noted"}. ` +
      "A task does not fail while a payment of it is in flight: wait, or decide that one first."
  )
})

const failTask = Effect.fnUntraced(function* ({ decisions }: Services, file: TaskFile, why: string) {
  const { row } = file
  const short = shortId(row.id)
  if (row.status === "pending_payment") {
    return yield* refuse(`Task ${short} is not paid: ai-mint cancel ${short} --why "…"`)
  }
  if (!isOpen(row.status)) return yield* refuse(`Task ${short} has ended already: it is ${row.status}.`)
  yield* noneInFlight(file)
  const decision = { command: "resolve", said: `task ${row.id} is failed`, why }
  const failed = { task: row, failure: failureOf(why) }
  yield* commit(`Task ${short}`, decision, (made, nowMs) => decisions.fail(failed, made, nowMs))
  const { id: taskId, mintsCompleted: minted, quantity } = row
  const none = { batch: undefined, replacement: undefined, setAside: 0 }
  return { command: "resolve", taskId, as: "failed", minted, onChain: minted, quantity, ...none, failed: true } as const
})
