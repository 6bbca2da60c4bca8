import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import { Effect } from "effect"
import type { Io } from "./io.ts"
import { run } from "./run.ts"
import type { Tools } from "./tell.ts"

/** Carries a command out among tools that are there already, and gives what it would have written. */
export const runInside = Effect.fn("cli.runInside")(function* (args: ReadonlyArray<string>) {
  const [stdout, stderr]: [Array<string>, Array<string>] = [[], []]
  const io: Io = { out: (text) => void stdout.push(text), err: (text) => void stderr.push(text) }
  const services = yield* Effect.context<Tools>()
  const code = yield* run(args, io, (operation) => Effect.provideContext(operation, services))
  return { code, stdout: stdout.join("\n"), stderr: stderr.join("\n") }
}, Effect.provide(NodeCrypto.layerSecureRandom))
