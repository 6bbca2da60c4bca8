import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Effect, Exit, Layer, Option, References, Runtime, Schema } from "effect"
import { FetchHttpClient } from "effect/http"
import { serve } from "./api/serve.ts"
import * as Webhooks from "./api/webhooks/Deliveries.ts"
import { ChainClient } from "./chain/ChainClient.ts"
import * as ChainClientViem from "./chain/ChainClientViem.ts"
import { nodeFetch } from "./chain/nodeFetch.ts"
import * as SecretBoxAes from "./chain/SecretBoxAes.ts"
import * as KeyCustodyAes from "./chain/KeyCustodyAes.ts"
import * as LoadSettings from "./config/load.ts"
import { Network } from "./config/Network.ts"
import { Settings } from "./config/Settings.ts"
import * as Executor from "./executor/loops.ts"
import * as MinterLayer from "./mint/layer.ts"
import { bannerLines } from "./ops/Banner.ts"
import * as Log from "./ops/Log.ts"
import * as Logger from "./ops/Logger.ts"
import * as Metrics from "./ops/metrics.ts"
import * as Clocks from "./ops/Clocks.ts"
import { fatalMessage } from "./ops/advice.ts"
import * as Incidents from "./ops/Incidents.ts"
import { notifyReady, version, warnOfOverridden } from "./ops/process.ts"
import * as Progress from "./ops/Progress.ts"
import * as Runners from "./ops/Runners.ts"
import * as Tracing from "./ops/tracing.ts"
import * as Database from "./ledger/Database.ts"
import { layerAsIs, layerFor } from "./ledger/prepare.ts"
import { TaskRepo } from "./ledger/TaskRepo.ts"
import { Ownership } from "./runners/Ownership.ts"
import { checkEncryptionKey } from "./checks/keys.ts"
import { UsdcCode } from "./executor/UsdcCode.ts"

/** The chain that is given, by what tells it from others. */
const chainIdentity = Effect.gen(function* () {
  const { network } = yield* Settings
  const chain = yield* ChainClient
  const { number: confirmedBlock } = yield* chain.confirmedBlock
  return { chainId: network.chainId, usdc: network.usdc.address, genesis: chain.genesis, confirmedBlock }
})

/** The ledger in the database that is given, bound to the chain that is given. */
const ledger = Layer.unwrap(Effect.map(chainIdentity, layerFor))

/** Which wallets are this process's. What divides them among several is loaded only where they are divided. */
const ownership = Layer.unwrap(
  Effect.gen(function* () {
    const { runners } = yield* Settings
    if (runners === "single") return Ownership.single
    return (yield* Effect.promise(() => import("./runners/cluster.ts"))).layer
  })
)

/** What the loops work with, over any chain, mint server and database. The actors end before the ledger closes. */
export const core = Executor.layer.pipe(Layer.provideMerge(ownership), Layer.provideMerge(ledger))

/** The real chain, keys and mint server, as the settings name them. */
export const outside = Layer.mergeAll(
  Layer.provide(ChainClientViem.layer, Layer.succeed(FetchHttpClient.Fetch, nodeFetch)),
  KeyCustodyAes.layer,
  SecretBoxAes.layer,
  MinterLayer.layer
)

/** What people's commands work with: the ledger as it is and what is outside, and no loop. */
export const tools = Layer.unwrap(Effect.map(chainIdentity, layerAsIs)).pipe(Layer.provideMerge(outside))

/** What all parts of a program share about how it is doing. */
export const state = Layer.mergeAll(Progress.layer, Incidents.layer, Clocks.layer, Runners.layer)

/** The operator's database, as `DATABASE_URL` names it. */
export const database = Database.layer

/** Runs the loops for ever, once it has said what it found. `afterStart` runs when the loops are about to. */
export const monitor = <E, R>(afterStart: Effect.Effect<void, E, R>) =>
  Effect.gen(function* () {
    const open = yield* (yield* TaskRepo).openTasks
    yield* Log.startup([
      "🚀 Starting AI Mint Executor...",
      `   Open tasks: ${open.pendingPayment} pending_payment, ${open.funded} funded, ${open.processing} processing, ${open.held} held`,
      "Monitoring for funded tasks..."
    ])
    yield* (yield* UsdcCode).lookIfPossible
    yield* afterStart
    return yield* Executor.loops
  })

/** The loops, and the page, the API and what tells others beside them, where the key is that of the wallets. */
export const executor = <E, R>(afterStart: Effect.Effect<void, E, R>) =>
  Effect.andThen(
    checkEncryptionKey,
    Effect.provide(Effect.raceFirst(monitor(afterStart), serve), Webhooks.layer, { local: true })
  )

/** The executor against a chain, a mint server and a database that exist already. */
const deployed = Effect.gen(function* () {
  yield* Log.startup(bannerLines(yield* Settings, { version }))
  yield* warnOfOverridden
  return yield* Effect.provide(executor(notifyReady), core.pipe(Layer.provideMerge(outside), Layer.provide(database)))
})

/** The packages of the sandbox are for development: a lean install has none of them. */
class NoSandbox extends Schema.TaggedError<NoSandbox>()("NoSandbox", {}) {
  override readonly [Runtime.errorExitCode] = 78
  override get message(): string {
    return (
      "NETWORK=local needs the sandbox, and this is a lean install without its packages. " +
      "Run npm ci (with development dependencies), or set NETWORK to base-sepolia or base."
    )
  }
}

/** Any other fault of the import is a fault of the sandbox, and must not be taken for a lean install. */
const isMissingPackage = (defect: unknown): boolean =>
  defect instanceof Error && "code" in defect && defect.code === "ERR_MODULE_NOT_FOUND"

/** The executor on the local network: the sandbox brings what the settings do not name. */
const onSandbox = Effect.gen(function* () {
  const { run } = yield* Effect.promise(() => import("./sandbox/run.ts")).pipe(
    Effect.catchDefect((defect) => (isMissingPackage(defect) ? Effect.fail(new NoSandbox()) : Effect.die(defect)))
  )
  return yield* run
})

/** The last line of a run: stopped, or why it could not go on. */
const sayEnd = (exit: Exit.Exit<unknown, { readonly message: string }>): Effect.Effect<void> => {
  if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return Log.startup("👋 AI Mint Executor stopped")
  const failure = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  const end =
    failure === undefined
      ? Log.error("🚨 AI Mint Executor ended in a defect", { cause: exit.cause })
      : Log.error(`❌ ${fatalMessage(failure)}`)
  // At every log level: the reason why a process ended is always shown.
  return Effect.provideService(end, References.MinimumLogLevel, "All")
}

/** The whole program: settings, log, and the network that `NETWORK` names. */
export const app = Effect.gen(function* () {
  const { hasSandbox } = yield* Network
  return yield* hasSandbox ? onSandbox : deployed
}).pipe(
  Effect.onExit(sayEnd),
  Effect.provide(Layer.mergeAll(state, Metrics.layer, Tracing.layer)),
  Effect.provide(Logger.layer),
  Effect.provide(LoadSettings.layer({ terminal: process.stdout.isTTY })),
  Effect.provide(NodeServices.layer)
)

/** Being told to stop is no failure; else the code that the error names (78: the settings), or 1. */
export const teardown: Runtime.Teardown = (exit, onExit) =>
  Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause) ? onExit(0) : Runtime.defaultTeardown(exit, onExit)
