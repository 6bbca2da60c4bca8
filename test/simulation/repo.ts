import { type Context, Effect, Layer } from "effect"
import type { Task, TaskId } from "../../src/domain/Task.ts"
import { DecisionRepo } from "../../src/ledger/DecisionRepo.ts"
import * as LedgerMemory from "../support/memory/LedgerMemory.ts"
import { MemoryLedger } from "../support/memory/MemoryLedger.ts"
import { type BatchSave, type HoldOptions, LedgerError, type TaskChange, TaskRepo } from "../../src/ledger/TaskRepo.ts"
import { interposed, type Process } from "./Process.ts"
import type { World } from "./World.ts"

const DATABASE_TIMEOUT_MS = 15_000

const lost = (operation: string, detail: string) => new LedgerError({ reason: "Unavailable", operation, detail })
const late = (operation: string) => new LedgerError({ reason: "Timeout", operation, detail: "no answer" })

const refused = (operation: string) =>
  new LedgerError({ reason: "Rejected", operation, detail: "another program's trigger refuses it" })

/** Columns of a change that are ours, beside the row of the order. */
const OURS = new Set(["nextActionAtMs", "refusal", "stalledSinceMs"])

const isOfRow = (change: TaskChange): boolean => Object.keys(change).some((column) => !OURS.has(column))

const batchChangesRow = ({ mints = [], withdrawsMints, endsHold, task }: BatchSave): boolean =>
  mints.length > 0 || withdrawsMints === true || endsHold !== undefined || (task !== undefined && isOfRow(task.change))

type Named = TaskId | { readonly taskId: TaskId } | { readonly task: { readonly id: TaskId } }

const idOf = (one: Named): TaskId => (typeof one === "string" ? one : "taskId" in one ? one.taskId : one.task.id)

/** The orders whose rows a write changes: each of a list has to be written, or none is. */
const rowsOf = (operation: string, [what, how, options]: ReadonlyArray<unknown>): ReadonlyArray<TaskId> => {
  const listed = () => (Array.isArray(what) ? what : [what]).map((one: Named) => idOf(one))
  switch (operation) {
    case "fund":
    case "cancel":
    case "fail":
    case "release":
    case "retry":
    case "notePauses":
    case "endHolds":
      return listed()
    case "hold":
      return (options as HoldOptions | undefined)?.inRow === false ? [] : listed()
    case "plan":
      return [(what as Task).id]
    case "saveTask":
      return isOfRow(how as TaskChange) ? [(what as Task).id] : []
    case "saveBatch":
      return batchChangesRow(what as BatchSave) ? [(what as BatchSave).before.taskId] : []
    default:
      return []
  }
}

/** Work on the ledger over a connection that may be lost before or after the commit. */
const connected = <A, E, R>(
  world: World,
  process: Process,
  operation: string,
  work: Effect.Effect<A, E, R>,
  args: ReadonlyArray<unknown>
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const { faults } = world
    const fails = (error: LedgerError) => Effect.fail(error) as Effect.Effect<never, E>
    if (rowsOf(operation, args).some((id) => world.unwritable.has(id))) return fails(refused(operation))
    if (faults.strikes("ledger lost before commit")) return fails(lost(operation, "connection refused"))
    if (faults.strikes("ledger lost after commit")) {
      return Effect.andThen(work, fails(lost(operation, "connection reset")))
    }
    if (faults.strikes("ledger hangs")) {
      const hangs = Effect.andThen(process.wait(DATABASE_TIMEOUT_MS), fails(late(operation)))
      return faults.random("ledger hangs").chance(0.5) ? Effect.andThen(work, hangs) : hangs
    }
    const pauseMs = world.latencyMs() / 10
    return pauseMs === 0 ? work : process.wait(pauseMs).pipe(Effect.andThen(work))
  })

/** A service of the ledger as one process reaches it. */
const reached = <I, S extends object>(
  world: World,
  process: Process,
  tag: Context.Key<I, S>,
  real: Layer.Layer<I, never, MemoryLedger>
): Layer.Layer<I> =>
  Layer.effect(
    tag,
    Effect.map(tag, (service) =>
      interposed(service, (name, work, args) => process.does(name, connected(world, process, name, work, args)))
    )
  ).pipe(Layer.provide(Layer.fresh(real)), Layer.provide(Layer.succeed(MemoryLedger, world.ledger.serviceFor(process))))

/** The ledger of an executor. */
export const repo = (world: World, process: Process): Layer.Layer<TaskRepo> =>
  reached(world, process, TaskRepo, LedgerMemory.layerNoDeps)

/** The ledger of a person who decides. */
export const decisions = (world: World, process: Process): Layer.Layer<DecisionRepo> =>
  reached(world, process, DecisionRepo, LedgerMemory.layerNoDeps)
