import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Effect, Exit, Runtime } from "effect"
import type { Io } from "./io.ts"
import { run } from "./run.ts"
import { commandLayers } from "./layers.ts"
import { maintenance } from "./Maintenance.ts"

let isInterruptionExpected = false

const io: Io["Service"] = {
  out: (text) => void process.stdout.write(`${text}\n`),
  document: (part) => void process.stdout.write(part),
  err: (text) => void process.stderr.write(`${text}\n`),
  // Node knows NO_COLOR, FORCE_COLOR and terminals that have none.
  colour: process.stdout.isTTY && process.stdout.hasColors(),
  expectInterruption: () => {
    isInterruptionExpected = true
  }
}

// The reader may have closed the pipe (`| head`): that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error
  if (isInterruptionExpected) process.kill(process.pid, "SIGINT")
})

const command = run(process.argv.slice(2), { io, layers: commandLayers, maintenance }).pipe(
  Effect.provide(NodeServices.layer),
  Effect.map((code) => {
    // Not at once: what was written has to be read.
    process.exitCode = code
  })
)

const teardown: Runtime.Teardown = (exit, onExit) =>
  isInterruptionExpected && Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
    ? onExit(0)
    : Runtime.defaultTeardown(exit, onExit)

NodeRuntime.runMain(command, { disableErrorReporting: true, teardown })
