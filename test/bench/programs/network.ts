import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect } from "effect"
import { openBaseSepolia } from "../../e2e/baseSepolia.ts"
import { openLightServer } from "../lightServer.ts"
import { localIsBaseSepolia, type MintServerKind } from "../network.ts"

/** The process that `openNetwork` starts: says where chain and mint server are, and keeps them until it is stopped. */
const program = Effect.gen(function* () {
  localIsBaseSepolia()
  const kind = process.argv[2] as MintServerKind
  const { chain, serverUrl } = yield* openBaseSepolia
  const url = kind === "light" ? yield* openLightServer(chain.rpcUrl) : serverUrl
  process.send?.({ rpcUrl: chain.rpcUrl, serverUrl: url })
  return yield* Effect.never
})

NodeRuntime.runMain(Effect.scoped(program))
