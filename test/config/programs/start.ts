import { NodeFileSystem, NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { layer } from "../../../src/config/load.ts"
import { Settings } from "../../../src/config/Settings.ts"

/** Starts as the executor does, and says which network it would run on. */
const main = Effect.map(Settings, ({ network }) => {
  process.stdout.write(`${network.name}\n`)
})

NodeRuntime.runMain(Effect.provide(main, layer({ terminal: false }).pipe(Layer.provide(NodeFileSystem.layer))))
