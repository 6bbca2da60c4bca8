import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect } from "effect"
import { openBaseSepolia } from "../../e2e/baseSepolia.ts"
import { localIsBaseSepolia } from "../network.ts"

/** The process that `openNetwork` starts: says where chain and mint server are, and keeps them until it is stopped. */
const program = Effect.gen(function* () {
  localIsBaseSepolia()
  const { chain, serverUrl } = yield* openBaseSepolia
  process.send?.({ rpcUrl: chain.rpcUrl, serverUrl })
  return yield* Effect.never
})

NodeRuntime.runMain(Effect.scoped(program))
