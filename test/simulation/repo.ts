import { type Context, Effect, Layer } from "effect"
import type { TaskId } from "../../src/domain/Task.ts"
import { DecisionRepo } from "../../src/task/DecisionRepo.ts"
import * as DecisionRepoMemory from "../../src/task/DecisionRepoMemory.ts"
import { MemoryLedger } from "../../src/task/MemoryLedger.ts"
import { LedgerError, TaskRepo } from "../../src/task/TaskRepo.ts"
import * as TaskRepoMemory from "../../src/task/TaskRepoMemory.ts"
import { interposed, type Process } from "./Process.ts"
import type { World } from "./World.ts"

const DATABASE_TIMEOUT_MS = 15_000

const lost = (operation: string, detail: string) => new LedgerError({ reason: "Unavailable", operation, detail })
const late = (operation: string) => new LedgerError({ reason: "Timeout", operation, detail: "no answer" })

const refused = (operation: string) =>
  new LedgerError({ reason: "Rejected", operation, detail: "a trigger of somebody else says no" })

/** Whether a write changes one of these orders: each of a list has to be written, or none is. */
const concerns = (operation: string, [what]: ReadonlyArray<unknown>, orders: ReadonlySet<TaskId>): boolean => {
  if (orders.size === 0 || !["fund", "cancel", "hold", "fail", "release", "retry"].includes(operation)) return false
  const rows = (Array.isArray(what) ? what : [what]) as ReadonlyArray<{ taskId?: TaskId; task?: { id: TaskId } }>
  return rows.some(({ taskId, task }) => orders.has(taskId ?? task?.id ?? ""))
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
    if (concerns(operation, args, world.unwritable)) return fails(refused(operation))
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
  reached(world, process, TaskRepo, TaskRepoMemory.layerNoDeps)

/** The ledger of a person who decides. */
export const decisions = (world: World, process: Process): Layer.Layer<DecisionRepo> =>
  reached(world, process, DecisionRepo, DecisionRepoMemory.layerNoDeps)
