import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, type Scope } from "effect"
import { existsSync } from "node:fs"
import { cpus } from "node:os"
import { join } from "node:path"
import { ROOT } from "../e2e/support.ts"
import { openServer } from "./database.ts"
import { limits } from "./limits.ts"
import { type Bench, type Options, optionsOf } from "./options.ts"
import { payment } from "./payment.ts"
import { perBatch } from "./perBatch.ts"
import { openBook } from "./results.ts"
import { division, runners } from "./runners.ts"
import { memory, start } from "./startAndMemory.ts"
import { finished, sweeps } from "./sweeps.ts"
import { throughput } from "./throughput.ts"

/** What can be measured, by the name that the command line takes. */
const MEASUREMENTS: Readonly<
  Record<string, (bench: Bench) => Effect.Effect<void, { readonly message: string }, Scope.Scope>>
> = { start, sweeps, finished, payment, batch: perBatch, memory, throughput, runners, division, limits }

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
  const about = { node: process.version, cpus: cpus().map(({ model }) => model), rounds: options.rounds }
  const book = openBook(options.json, about)
  const server = yield* openServer
  for (const [name, measure] of measurements)
    yield* book.measure(name, (results) => measure({ ...options, server, results }))
  yield* Console.log(book.table())
  if (book.failures.length > 0) throw new Error(`${book.failures.length} rounds or measurements failed`)
})

NodeRuntime.runMain(Effect.scoped(main))
