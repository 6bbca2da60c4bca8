import { Cause, Clock, Effect, Exit, Layer } from "effect"
import * as SecureRandom from "effect/crypto/SecureRandom"
import type { ChainClient } from "../../src/chain/ChainClient.ts"
import type { KeyCustody } from "../../src/chain/KeyCustody.ts"
import { Settings } from "../../src/config/Settings.ts"
import { layerTo } from "../../src/ops/Logger.ts"
import type { DecisionRepo } from "../../src/ledger/DecisionRepo.ts"
import type { TaskRepo } from "../../src/ledger/TaskRepo.ts"
import { custody } from "./Keys.ts"
import { onLog } from "./launch.ts"
import { nodes } from "./nodes.ts"
import type { Process } from "./Process.ts"
import { decisions, repo } from "./repo.ts"
import { clockOf } from "./Runtime.ts"
import type { World } from "./World.ts"

/** What a command of `src/operator/` needs. */
export type Tools = DecisionRepo | TaskRepo | ChainClient | KeyCustody | Settings | SecureRandom.SecureRandom

/** In place of secure chance: follows from the seed. */
const randomOf = ({ random }: World, { name }: Process) => {
  const bytes = random.fork(`secure random of ${name}`)
  return SecureRandom.make((size) => Uint8Array.from({ length: size }, () => bytes.int(0, 255)))
}

/** Carries out a command in a process of its own, which ends with it. `onDone` hears of one that was not refused. */
export const command = <A, E extends { readonly message: string }>(
  world: World,
  process: Process,
  operation: Effect.Effect<A, E, Tools>,
  onDone: () => void
): void => {
  const { oracle, trace } = world
  const settings = Layer.succeed(Settings, world.settings(10))
  const log = layerTo({ write: (lines) => onLog(world, process, lines), colour: false })
  const outside = Layer.mergeAll(nodes(world, process), custody(world, process), repo(world, process))
  const random = Layer.succeed(SecureRandom.SecureRandom, randomOf(world, process))
  const tools = Layer.mergeAll(outside, decisions(world, process), random, log).pipe(Layer.provideMerge(settings))
  const program = operation.pipe(
    Effect.provide(tools, { local: true }),
    Effect.provideService(Clock.Clock, clockOf(process, world)),
    Effect.withTracerEnabled(false)
  )
  Effect.runFork(program, { scheduler: world.scheduler }).addObserver((exit) => {
    process.isDead = true
    if (Exit.isSuccess(exit)) {
      trace.say(process.name, "is done")
      return onDone()
    }
    const failure = Cause.squash(exit.cause)
    trace.say(process.name, `is refused: ${failure instanceof Error ? failure.message : String(failure)}`)
    if (Cause.hasDies(exit.cause)) oracle.report("defect", `a command ends in ${String(failure)}`)
  })
}
