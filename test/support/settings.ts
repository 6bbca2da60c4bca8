import { Duration, Layer, Redacted } from "effect"
import { local } from "../../src/config/Network.ts"
import { Settings, type SettingsShape } from "../../src/config/Settings.ts"

/** 32 bytes that open the keys of wallets made by `support/agentWallet.ts`. */
export const ENCRYPTION_KEY = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/** The defaults of `.env.example` on the local network; only that no block wakes the executor. */
export const defaults: SettingsShape = {
  network: local,
  production: false,
  databaseUrl: undefined,
  rpcUrls: [],
  wsUrls: [],
  serverUrl: undefined,
  mintProtocol: "x402",
  x402FacilitatorUrl: undefined,
  aiAgentPrivateKey: undefined,
  agentEncryptionKey: Redacted.make(ENCRYPTION_KEY),
  checkTrigger: "interval",
  checkInterval: Duration.seconds(10),
  mintInterval: Duration.seconds(5),
  paymentTimeout: Duration.minutes(10),
  maxBatchSize: 10,
  maxRetryCount: 3,
  mintConcurrency: 64,
  confirmations: 2,
  mintPayTo: [],
  mintPortions: new Map(),
  mintStock: new Map(),
  authorizationWindow: Duration.minutes(5),
  runners: "single",
  databaseTimezone: undefined,
  databaseSslVerify: true,
  rpcTimeout: Duration.seconds(10),
  mintTimeout: Duration.seconds(60),
  databaseTimeout: Duration.seconds(15),
  drainTimeout: Duration.seconds(30),
  opsHost: "127.0.0.1",
  opsPort: 4022,
  opsToken: undefined,
  v1Token: undefined,
  tracesUrl: undefined,
  logLevel: "Debug",
  logFormat: "text"
}

export const settings = (changes: Partial<SettingsShape> = {}) => Layer.succeed(Settings, { ...defaults, ...changes })
