import { Clock, Effect, Exit, Layer } from "effect"
import { Settings } from "../../src/config/Settings.ts"
import * as Clocks from "../../src/ops/Clocks.ts"
import * as Incidents from "../../src/ops/Incidents.ts"
import { layerTo } from "../../src/ops/Logger.ts"
import { TaskRepo } from "../../src/ledger/TaskRepo.ts"
import * as Executor from "../../src/executor/loops.ts"
import { custody } from "./Keys.ts"
import { minter } from "./minter.ts"
import { nodes } from "./nodes.ts"
import { ownership } from "./Owners.ts"
import type { Process } from "./Process.ts"
import { repo } from "./repo.ts"
import { clockOf } from "./Runtime.ts"
import type { World } from "./World.ts"

/** What `monitor` of `App.ts` runs, without its greeting. */
const loops = Effect.gen(function* () {
  yield* (yield* TaskRepo).openTasks
  return yield* Executor.loops
})

/** Starts an executor: the production wiring, over the chain, server, ledger and clock that `process` has. */
export const launch = (world: World, process: Process, maxBatchSize: number) => {
  const settings = Layer.succeed(Settings, world.settings(maxBatchSize))
  const log = layerTo({ write: (lines) => onLog(world, process, lines), colour: false })
  const outside = Layer.mergeAll(nodes(world, process), minter(world, process), custody(world, process))
  const wiring = Executor.layer.pipe(
    Layer.provideMerge(ownership(world, process)),
    Layer.provideMerge(Layer.mergeAll(repo(world, process), outside)),
    Layer.provideMerge(log),
    Layer.provideMerge(Layer.merge(Clocks.layer, Incidents.layer)),
    Layer.provideMerge(settings)
  )
  const program = loops.pipe(
    Effect.provide(wiring, { local: true }),
    Effect.provideService(Clock.Clock, clockOf(process, world)),
    Effect.withTracerEnabled(false)
  )
  const fiber = Effect.runFork(program, { scheduler: world.scheduler })
  const onEnd = (exit: Exit.Exit<unknown, unknown>) => {
    if (!process.isDead) process.die(Exit.isSuccess(exit) ? "ended" : `ended: ${String(exit.cause)}`.split("\n")[0]!)
  }
  fiber.addObserver(onEnd)
  return fiber
}

/** Keeps what a process logs, and checks it for what no log should have. */
export const onLog = ({ logLines, oracle, trace }: World, process: Process, lines: string): void => {
  if (process.isDead) return
  for (const line of lines.trimEnd().split("\n")) {
    logLines.push(line)
    if (line.includes("defect")) oracle.report("defect", line)
    if (!line.includes("level=DEBUG")) trace.say(process.name, line.replace(/^\[[^\]]*\] |^ts=\S+ /, ""))
  }
}
