import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer } from "effect"
import { core, database, monitor, outside, teardown } from "../../../src/App.ts"
import * as LoadSettings from "../../../src/config/load.ts"
import { Minter } from "../../../src/mint/Minter.ts"
import * as Logger from "../../../src/ops/Logger.ts"
import { TaskRepo } from "../../../src/ledger/TaskRepo.ts"
import { Ownership } from "../../../src/runners/Ownership.ts"
import * as Executor from "../../../src/executor/loops.ts"
import { withPoints } from "./killPoints.ts"

// The executor as `App.ts` wires it for a network that is there already, which kills itself at one of the points that
// `KILL_AT` names, and writes down in the file `KILL_TRACE` which it passed.

const options = {
  points: new Set((process.env["KILL_AT"] ?? "").split(",").filter((point) => point !== "")),
  trace: process.env["KILL_TRACE"] ?? "/dev/null"
}

const ledger = Layer.effect(
  TaskRepo,
  Effect.map(TaskRepo, (repo) => withPoints(repo, options))
)

const minter = Layer.effect(
  Minter,
  Effect.map(Minter, (service) => withPoints(service, options, "minter "))
)

/** Actors of their own, over the ledger and the mint server with points; those of `core` are never woken. */
const wiring = Layer.fresh(Executor.layer).pipe(
  Layer.provideMerge(Ownership.single),
  Layer.provideMerge(Layer.merge(ledger, minter)),
  Layer.provideMerge(core),
  Layer.provideMerge(outside),
  Layer.provide(database)
)

const program = monitor(Effect.void).pipe(
  Effect.provide(wiring),
  Effect.provide(Logger.layer),
  Effect.provide(LoadSettings.layer({ terminal: false })),
  Effect.provide(NodeServices.layer)
)

NodeRuntime.runMain(program, { teardown })
