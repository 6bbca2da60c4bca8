#!/usr/bin/env node
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect } from "effect"
import * as LoadSettings from "../config/load.ts"
import { Settings } from "../config/Settings.ts"
import { performDirectly } from "./direct.ts"
import { type Io } from "./io.ts"
import { run } from "./run.ts"
import { performInSandbox, sandboxIsAsked } from "./sandbox.ts"
import type { Tools } from "./tell.ts"

const args = process.argv.slice(2)

const io: Io = {
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`)
}

/** Straight on what the settings name; what belongs to a running sandbox is done by it. */
const perform = <A, E>(operation: Effect.Effect<A, E, Tools>) =>
  Effect.gen(function* () {
    const settings = yield* Settings
    if (sandboxIsAsked(settings)) return yield* performInSandbox(args, io)
    return yield* performDirectly(io)(operation)
  }).pipe(Effect.provide(LoadSettings.layer({ terminal: false })), Effect.provide(NodeServices.layer))

const command = run(args, io, perform).pipe(
  Effect.provide(NodeServices.layer),
  Effect.map((code) => {
    // Not at once: what was written has to be read.
    process.exitCode = code
  })
)

NodeRuntime.runMain(command, { disableErrorReporting: true })
