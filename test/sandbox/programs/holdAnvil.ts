import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import * as Anvil from "../../../src/sandbox/Anvil.ts"

/** Holds a chain with its state in a file, writes the pid of its guard, and at the end whether the chain still answers. */
const main = Effect.gen(function* () {
  const statePath = process.argv[2] ?? ""
  const { chain, died } = yield* Anvil.start({ statePath })
  const isAnswering = chain
    .ask("see whether the chain answers", (client) => client.getBlockNumber())
    .pipe(
      Effect.as("yes"),
      Effect.orElseSucceed(() => "no")
    )
  yield* Effect.addFinalizer(() => Effect.map(isAnswering, (answer) => process.stdout.write(`answers: ${answer}\n`)))
  process.stdout.write(readFileSync(`${statePath}.pid`))
  return yield* died
})

NodeRuntime.runMain(Effect.scoped(main))
