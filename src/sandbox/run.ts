import { Effect, Layer, Redacted } from "effect"
import { core, database, executor, outside } from "../App.ts"
import { Settings, type SettingsShape } from "../config/Settings.ts"
import { shortId } from "../domain/Task.ts"
import { format } from "../domain/Usdc.ts"
import { bannerLines } from "../ops/Banner.ts"
import * as Background from "../ops/background.ts"
import * as Log from "../ops/Log.ts"
import { notifyReady, version, warnOfOverridden } from "../ops/process.ts"
import { roleKeys } from "./DevChain.ts"
import { open, type Sandbox, SandboxError } from "./Sandbox.ts"
import { DATA_DIR } from "./sandboxFile.ts"

/** Mints of the order that a first start places, so that there is something to see. */
const SAMPLE_QUANTITY = 5

/**
 * The executor on the local network. What the settings name is the operator's own; the sandbox brings the rest, and
 * outlives the executor's drain.
 */
export const run = Effect.gen(function* () {
  const asked = yield* Settings
  const sandbox = yield* openFor(asked)
  const settings = withSandbox(asked, sandbox)
  yield* Log.startup(bannerLines(settings, { version }))
  yield* warnOfOverridden
  yield* Log.startup(introduction(asked, sandbox))
  const afterStart = isAllOurs(asked) ? Effect.andThen(notifyReady, sampleOrder(sandbox)) : notifyReady
  return yield* executor(afterStart).pipe(
    Effect.scoped,
    Effect.provide(executorOn(sandbox, settings)),
    Effect.raceFirst(sandbox.died)
  )
}).pipe(Effect.scoped)

const openFor = (asked: SettingsShape) =>
  open({
    dataDir: DATA_DIR,
    paymentTimeout: asked.paymentTimeout,
    checkInterval: asked.checkInterval,
    rpcUrl: asked.rpcUrls[0] && Redacted.value(asked.rpcUrls[0]),
    serverUrl: asked.serverUrl,
    encryptionKey: asked.agentEncryptionKey,
    database: asked.databaseUrl && { url: asked.databaseUrl, layer: database }
  })

/** What the executor runs on: the real outside, at the sandbox's addresses, and the sandbox's database. */
export const executorOn = (sandbox: Sandbox, asked: SettingsShape) =>
  core.pipe(
    Layer.provideMerge(outside),
    Layer.provide(Layer.succeedContext(sandbox.database)),
    Layer.provideMerge(Layer.succeed(Settings, withSandbox(asked, sandbox)))
  )

/** The settings with what the sandbox brought. */
const withSandbox = (asked: SettingsShape, sandbox: Sandbox): SettingsShape => ({
  ...asked,
  rpcUrls: asked.rpcUrls.length > 0 ? asked.rpcUrls : [Redacted.make(sandbox.faultyRpcUrl)],
  serverUrl: sandbox.serverUrl,
  aiAgentPrivateKey: asked.aiAgentPrivateKey ?? Redacted.make(roleKeys.aiAgent),
  agentEncryptionKey: sandbox.encryptionKey
})

/** Nothing is the operator's own: then the orders may be the sandbox's too. */
const isAllOurs = (asked: SettingsShape): boolean =>
  asked.databaseUrl === undefined && asked.rpcUrls.length === 0 && asked.serverUrl === undefined

const introduction = (asked: SettingsShape, sandbox: Sandbox): ReadonlyArray<string> => [
  "🏖️ Local network",
  `   Chain: ${sandbox.rpcUrl}`,
  `   Mint server: ${sandbox.serverUrl}`,
  `   Mint token: ${sandbox.token}, ${format(sandbox.pricePerMint)} USDC a mint`,
  `   Database: ${asked.databaseUrl !== undefined ? "DATABASE_URL" : `embedded, in ${DATA_DIR}/`}`,
  ...sandbox.moved.map(
    ({ what, preferred, port }) => `   Port ${preferred} is taken: the ${NAMES[what]} is on ${port}`
  ),
  "   Place an order: npm run sandbox:order -- --quantity 5 --pay now|late|half|never",
  `   See the orders: curl ${sandbox.controlUrl}/sandbox/orders`,
  "   Make something go wrong: npm run sandbox:fault -- --list",
  "   Decide about orders and money: npm run -s ai-mint -- --help",
  "   Stop: Ctrl-C. Start anew: npm run sandbox:reset"
]

const NAMES = { chain: "chain", mintServer: "mint server" } as const

/**
 * An order that is paid at once, where there never was an order. The payment is in a block a moment later, while the
 * loops run already.
 */
const sampleOrder = Effect.fnUntraced(
  function* (sandbox: Sandbox) {
    const { orderDesk, token, pricePerMint } = sandbox
    if ((yield* orderDesk.latestOrders).length > 0) return
    const order = yield* orderDesk.placeOrder({ token, pricePerMint, quantity: SAMPLE_QUANTITY })
    yield* Log.startup([
      `🛒 Sample order ${shortId(order.taskId)}: ${SAMPLE_QUANTITY} mints for ${order.userAddress}`,
      `   Paying ${format(order.totalCost)} USDC to its agent wallet ${order.agentAddress}...`
    ])
    yield* Effect.forkScoped(
      Background.reported(
        "The payment",
        Effect.ignore(orderDesk.pay(order.agentAddress, order.totalCost), { log: true })
      )
    )
  },
  Effect.mapError(({ error }) => new SandboxError({ message: error }))
)
