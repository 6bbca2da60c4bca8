import { Effect, Layer } from "effect"
import { MemoryLedger } from "../../src/task/MemoryLedger.ts"
import { LedgerError, TaskRepo } from "../../src/task/TaskRepo.ts"
import * as TaskRepoMemory from "../../src/task/TaskRepoMemory.ts"
import { interposed, type Process } from "./Process.ts"
import type { World } from "./World.ts"

const DATABASE_TIMEOUT_MS = 15_000

/** The ledger as one process reaches it: over a connection that may be lost before or after the commit. */
export const repo = (world: World, process: Process): Layer.Layer<TaskRepo> => {
  const { faults } = world
  const lost = (operation: string, detail: string) => new LedgerError({ reason: "Unavailable", operation, detail })
  const late = (operation: string) => new LedgerError({ reason: "Timeout", operation, detail: "no answer" })

  const connected = <A, E, R>(operation: string, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      const fails = (error: LedgerError) => Effect.fail(error) as Effect.Effect<never, E>
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

  return Layer.effect(
    TaskRepo,
    Effect.map(TaskRepo, (real) => interposed(real, (name, work) => process.does(name, connected(name, work))))
  ).pipe(
    Layer.provide(Layer.fresh(TaskRepoMemory.layerNoDeps)),
    Layer.provide(Layer.succeed(MemoryLedger, world.ledger.service))
  )
}
