import { Console, Duration, Effect, Equal, type FileSystem, Layer, Redacted } from "effect"
import * as DotEnv from "./dotEnv.ts"
import * as Field from "./fields.ts"
import { Network, type NetworkShape } from "./Network.ts"
import { makeReader, type Reader } from "./reader.ts"
import { BadSettings, Settings, type SettingsShape, V1_QUANTITY_MAX } from "./Settings.ts"

/** What the settings cannot know by themselves about where the process runs. */
export interface Surroundings {
  /** Whether the log goes to a terminal, where `pretty` is the default format. */
  readonly terminal: boolean
}

const INTERVAL = Field.duration({ min: "100 millis", max: "1 hour" })

/**
 * All settings for the network that is given, or `BadSettings` with everything that is wrong. Reads the current
 * `ConfigProvider` and the files that `…_FILE` keys name. Keys that it does not know are left alone.
 */
export const load = Effect.fn("Settings.load")(function* (surroundings: Surroundings) {
  const reader = makeReader()
  const production = yield* isProduction(reader)
  yield* readNetwork(reader)
  const network = yield* Network
  const settings: SettingsShape = {
    production,
    network,
    ...(yield* readEndpoints(reader, network)),
    ...(yield* readKeys(reader, network)),
    ...(yield* readPace(reader)),
    ...(yield* readTimeouts(reader)),
    ...(yield* readOps(reader)),
    runners: yield* reader.readOr("RUNNERS", Field.runners, "single"),
    databaseTimezone: yield* reader.read("DATABASE_TIMEZONE", Field.timezone),
    databaseSslVerify: yield* reader.readOr("DATABASE_SSL_VERIFY", Field.flag, true),
    mintPayTo: yield* reader.readOr("MINT_PAY_TO", Field.addresses, []),
    mintPortions: yield* reader.readOr("MINT_PORTIONS", Field.portions, new Map()),
    mintStock: yield* reader.readOr("MINT_STOCK", Field.stock, new Map()),
    logLevel: yield* reader.readOr("LOG_LEVEL", Field.logLevel, production ? "Info" : "Debug"),
    logFormat: yield* reader.readOr("LOG_FORMAT", Field.logFormat, surroundings.terminal ? "pretty" : "text")
  }
  if (settings.mintProtocol === "v1") yield* checkV1(reader, settings)
  if (settings.runners === "cluster" && settings.databaseUrl === undefined && network.hasSandbox)
    reader.report(
      "DATABASE_URL is not set: with RUNNERS=cluster it must be, as the sandbox's own database has one user"
    )
  return reader.problems.length === 0 ? settings : yield* new BadSettings({ problems: [...reader.problems] })
})

const isProduction = (reader: Reader) =>
  Effect.map(reader.read("NODE_ENV", Field.anyText), (mode) => mode === "production")

/**
 * `base` stands in for a network that is mistyped, or missing in production: the settings are refused anyway, and this
 * way the operator also reads what a network other than `local` would still lack.
 */
const readNetwork = Effect.fnUntraced(function* (reader: Reader) {
  const production = yield* isProduction(reader)
  const needed = production ? "with NODE_ENV=production it must be, even if it is local" : undefined
  const network = yield* reader.read("NETWORK", Field.network, needed)
  const fallback = production || (yield* reader.isSet("NETWORK")) ? Network.layerBase : Network.layerLocal
  return network ?? fallback
})

/** The network that `NETWORK` names. What is wrong with the name is for `load` to say. */
export const network = Layer.unwrap(Effect.suspend(() => readNetwork(makeReader())))

/** Why a secret is mandatory; undefined where a sandbox brings what is missing. */
const neededOn = (network: NetworkShape): string | undefined =>
  network.hasSandbox ? undefined : "it may be left out on NETWORK=local only"

const readEndpoints = Effect.fnUntraced(function* (reader: Reader, network: NetworkShape) {
  const publicUrls = network.publicRpcUrl === undefined ? [] : [Redacted.make(network.publicRpcUrl)]
  return {
    databaseUrl: yield* reader.readSecret("DATABASE_URL", Field.databaseUrl, neededOn(network)),
    ...((yield* reader.readSecret(network.rpcKey, Field.nodeUrls)) ?? { rpcUrls: publicUrls, wsUrls: [] }),
    serverUrl: (yield* reader.read("SERVER_URL", Field.serverUrl)) ?? network.defaultServerUrl,
    mintProtocol: yield* reader.readOr("MINT_PROTOCOL", Field.mintProtocol, "x402"),
    x402FacilitatorUrl: yield* reader.read("X402_FACILITATOR_URL", Field.serverUrl)
  }
})

/** What a mint server of protocol `v1` needs of the other settings. */
const checkV1 = Effect.fnUntraced(function* (reader: Reader, { network, maxBatchSize }: SettingsShape) {
  if (maxBatchSize > V1_QUANTITY_MAX)
    reader.report(`MAX_BATCH_SIZE: expected at most ${V1_QUANTITY_MAX} with MINT_PROTOCOL=v1`)
  if (network.hasSandbox && !(yield* reader.isSet("SERVER_URL")))
    reader.report(
      "SERVER_URL is not set: with MINT_PROTOCOL=v1 it must be, as the sandbox's own mint server speaks x402"
    )
})

const readKeys = Effect.fnUntraced(function* (reader: Reader, network: NetworkShape) {
  return {
    aiAgentPrivateKey: yield* reader.readSecret("AI_AGENT_PRIVATE_KEY", Field.privateKey),
    agentEncryptionKey: yield* reader.readSecret("AGENT_ENCRYPTION_KEY", Field.encryptionKey, neededOn(network))
  }
})

const readPace = Effect.fnUntraced(function* (reader: Reader) {
  const paymentTimeout = Field.duration({ min: "1 second", max: "30 days" })
  return {
    checkTrigger: yield* reader.readOr("CHECK_TRIGGER", Field.checkTrigger, "block"),
    checkInterval: yield* reader.readOr("CHECK_INTERVAL", INTERVAL, Duration.seconds(10)),
    mintInterval: yield* reader.readOr("MINT_INTERVAL", INTERVAL, Duration.seconds(5)),
    paymentTimeout: yield* reader.readOr("PAYMENT_TIMEOUT", paymentTimeout, Duration.minutes(10)),
    maxBatchSize: yield* reader.readOr("MAX_BATCH_SIZE", Field.countField({ min: 1, max: 100 }), 10),
    maxRetryCount: yield* reader.readOr("MAX_RETRY_COUNT", Field.countField({ min: 1, max: 100 }), 3),
    mintConcurrency: yield* reader.readOr("MINT_CONCURRENCY", Field.countField({ min: 1, max: 10_000 }), 64),
    confirmations: yield* reader.readOr("CONFIRMATIONS", Field.countField({ min: 1, max: 100 }), 2)
  }
})

/**
 * How long things may take. A facilitator refuses an authorization with less than 6 s to live, and the chain's clock
 * and ours differ by a few seconds: hence at least 10 s for the window. At most an hour, as that is how long the
 * outcome of a payment can stay unknown.
 */
const readTimeouts = Effect.fnUntraced(function* (reader: Reader) {
  const authorizationWindow = Field.duration({ min: "10 seconds", max: "1 hour" })
  const rpcTimeout = Field.duration({ min: "100 millis", max: "2 minutes" })
  const mintTimeout = Field.duration({ min: "1 second", max: "10 minutes" })
  const databaseTimeout = Field.duration({ min: "100 millis", max: "5 minutes" })
  const drainTimeout = Field.duration({ min: "100 millis", max: "10 minutes" })
  return {
    authorizationWindow: yield* reader.readOr("AUTHORIZATION_WINDOW", authorizationWindow, Duration.minutes(5)),
    rpcTimeout: yield* reader.readOr("RPC_TIMEOUT", rpcTimeout, Duration.seconds(10)),
    mintTimeout: yield* reader.readOr("MINT_TIMEOUT", mintTimeout, Duration.seconds(60)),
    databaseTimeout: yield* reader.readOr("DATABASE_TIMEOUT", databaseTimeout, Duration.seconds(15)),
    drainTimeout: yield* reader.readOr("DRAIN_TIMEOUT", drainTimeout, Duration.seconds(30))
  }
})

const readOps = Effect.fnUntraced(function* (reader: Reader) {
  const opsToken = yield* reader.readSecret("OPS_TOKEN", Field.token)
  const v1Token = yield* reader.readSecret("V1_TOKEN", Field.token)
  if (v1Token !== undefined && Equal.equals(opsToken, v1Token))
    reader.report("V1_TOKEN is the same as OPS_TOKEN: it would open everything to who may ask for v1.1's routes alone")
  return {
    opsHost: yield* reader.readOr("OPS_HOST", Field.host, "127.0.0.1"),
    opsPort: yield* reader.readOr("OPS_PORT", Field.countField({ min: 0, max: 65_535 }), 4022),
    opsToken,
    v1Token,
    tracesUrl: yield* reader.read("OTEL_EXPORTER_OTLP_ENDPOINT", Field.serverUrl)
  }
})

/**
 * Network and settings of this process, from its environment and `.env`. What is wrong with them is printed here, once,
 * on stderr, for every entry point; see `BadSettings`.
 */
export const layer = (
  surroundings: Surroundings
): Layer.Layer<Settings | Network, BadSettings, FileSystem.FileSystem> =>
  Layer.effect(Settings, load(surroundings)).pipe(
    Layer.provideMerge(network),
    Layer.provide(DotEnv.layer),
    Layer.tapError((error) => Console.error(error.message))
  )
