import { Context, type Duration, type LogLevel, type Option, type Redacted } from "effect"
import type { Address } from "../domain/Address.ts"
import type { Network } from "./Network.ts"

/** Everything that an operator can set, decoded once. Keys, units, defaults and ranges: `.env.example`. */
export interface SettingsShape {
  readonly network: Network
  readonly production: boolean
  /** Secret. None only on `local`, where the sandbox brings a database. */
  readonly databaseUrl: Option.Option<Redacted.Redacted>
  /** Secret, as paths of RPC URLs carry API keys; show the host only. Tried in order. Empty only on `local`. */
  readonly rpcUrls: ReadonlyArray<Redacted.Redacted>
  /** None only on `local`, where the sandbox brings a mint server. Without a trailing slash. */
  readonly serverUrl: Option.Option<string>
  /** Secret, `0x` and 64 hex digits. Without it refunds are off. */
  readonly aiAgentPrivateKey: Option.Option<Redacted.Redacted<`0x${string}`>>
  /** Secret, 64 hex digits. None only on `local`. */
  readonly agentEncryptionKey: Option.Option<Redacted.Redacted>
  readonly checkInterval: Duration.Duration
  readonly mintInterval: Duration.Duration
  readonly paymentTimeout: Duration.Duration
  readonly maxBatchSize: number
  readonly maxRetryCount: number
  readonly confirmations: number
  readonly mintPayTo: ReadonlyArray<Address>
  readonly authorizationWindow: Duration.Duration
  /** An IANA zone name. None: the database's own default zone. */
  readonly databaseTimezone: Option.Option<string>
  readonly databaseSslVerify: boolean
  readonly rpcTimeout: Duration.Duration
  readonly mintTimeout: Duration.Duration
  readonly databaseTimeout: Duration.Duration
  readonly drainTimeout: Duration.Duration
  readonly logLevel: LogLevel.LogLevel
  readonly logFormat: "pretty" | "text" | "json" | "logfmt"
}

export class Settings extends Context.Service<Settings, SettingsShape>()("ai-mint-executor/config/Settings") {}
