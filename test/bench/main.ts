import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Console, Effect, Exit, type Scope } from "effect"
import { existsSync, writeFileSync } from "node:fs"
import { cpus } from "node:os"
import { join } from "node:path"
import { ROOT } from "../e2e/support.ts"
import { openServer } from "./database.ts"
import { type Bench, type Options, optionsOf } from "./options.ts"
import { payment } from "./payment.ts"
import { perBatch } from "./perBatch.ts"
import { jsonOf, type Measured, profileOf, tableOf } from "./report.ts"
import { memory, start } from "./startAndMemory.ts"
import { finished, sweeps } from "./sweeps.ts"
import { throughput } from "./throughput.ts"

/** What can be measured, by the name that the command line takes. */
const MEASUREMENTS: Readonly<
  Record<string, (bench: Bench) => Effect.Effect<Measured, { readonly message: string }, Scope.Scope>>
> = { start, sweeps, finished, payment, throughput, batch: perBatch, memory }

const chosen = ({ names }: Options) => {
  const unknown = names.find((name) => !(name in MEASUREMENTS))
  if (unknown !== undefined)
    throw new Error(`there is no ${unknown} to measure, only: ${Object.keys(MEASUREMENTS).join(", ")}`)
  return Object.entries(MEASUREMENTS).filter(([name]) => names.length === 0 || names.includes(name))
}

const main = Effect.gen(function* () {
  const options = optionsOf(process.argv.slice(2))
  const measurements = chosen(options)
  if (!existsSync(join(ROOT, "dist/main.js"))) throw new Error("dist/ is not there: npm run build")
  const bench = { ...options, server: yield* openServer }
  const measured: Record<string, Measured> = {}
  let failed = 0
  for (const [name, measure] of measurements) {
    const startMs = performance.now()
    const exit = yield* Effect.exit(Effect.scoped(measure(bench)))
    if (Exit.isSuccess(exit)) measured[name] = exit.value
    else failed++
    const tookSeconds = Math.round((performance.now() - startMs) / 1000)
    const how = Exit.isSuccess(exit) ? "measured" : `not measured: ${Cause.pretty(exit.cause)}`
    yield* Console.error(`${name}: ${how} (${tookSeconds} s)`)
  }
  yield* Console.log(tableOf(Object.values(measured).flatMap(({ figures }) => figures)))
  for (const { profiles = {} } of Object.values(measured))
    for (const [title, shares] of Object.entries(profiles)) yield* Console.log(`\n${profileOf(title, shares)}`)
  const about = { node: process.version, cpus: cpus().map(({ model }) => model), rounds: options.rounds }
  if (options.json !== undefined) writeFileSync(options.json, jsonOf(measured, about))
  if (failed > 0) throw new Error(`${failed} of ${measurements.length} measurements failed`)
})

NodeRuntime.runMain(Effect.scoped(main))
