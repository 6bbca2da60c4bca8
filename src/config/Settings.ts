import { Context, type Duration, type LogLevel, type Redacted, Runtime, Schema } from "effect"
import type { Address } from "../domain/Address.ts"
import type { NetworkShape } from "./Network.ts"

/** How log lines look. `text` is the form of v1.1, for people and `grep`; `json` and `logfmt` carry all fields. */
export type LogFormat = "pretty" | "text" | "json" | "logfmt"

/** What the mint server speaks: x402, or the protocol of its version 1.1, where the payment is part of the order. */
export type MintProtocol = "x402" | "v1"

/** `cluster`: several executors on one database divide the wallets among them. */
export type RunnersMode = "single" | "cluster"

/** What makes the executor look at the chain: each new block and its intervals, or its intervals alone. */
export type CheckTrigger = "block" | "interval"

/** Mints that a mint server of protocol `v1` sells for one payment. */
export const V1_QUANTITY_MAX = 10

/** Everything that an operator can set, decoded once; `undefined` is not set. Keys, units, defaults and ranges: `.env.example`. */
export interface SettingsShape {
  readonly network: NetworkShape
  readonly production: boolean
  /** Secret. Not set only where a sandbox brings a database. */
  readonly databaseUrl: Redacted.Redacted | undefined
  /** Secret, as paths of RPC URLs carry API keys; show the host only. Tried in order. Empty only where a sandbox brings a chain. */
  readonly rpcUrls: ReadonlyArray<Redacted.Redacted>
  /** Secret as they are: WebSocket URLs of the same list, whose nodes announce new blocks. Often empty. */
  readonly wsUrls: ReadonlyArray<Redacted.Redacted>
  /** Not set only where a sandbox brings a mint server. Without a trailing slash. */
  readonly serverUrl: string | undefined
  readonly mintProtocol: MintProtocol
  /** Settles the x402 payments of people. Without it the AI Agent Account does. Without a trailing slash. */
  readonly x402FacilitatorUrl: string | undefined
  /** Secret, `0x` and 64 hex digits. Without it refunds are off, and so are pay-ins where no facilitator is set. */
  readonly aiAgentPrivateKey: Redacted.Redacted<`0x${string}`> | undefined
  /** Secret, 64 hex digits. Not set only where a sandbox brings one. */
  readonly agentEncryptionKey: Redacted.Redacted | undefined
  readonly checkTrigger: CheckTrigger
  readonly checkInterval: Duration.Duration
  readonly mintInterval: Duration.Duration
  readonly paymentTimeout: Duration.Duration
  /** At most `V1_QUANTITY_MAX` with protocol `v1`. */
  readonly maxBatchSize: number
  readonly maxRetryCount: number
  /** Requests to the mint server that may be in the air at once. */
  readonly mintConcurrency: number
  readonly confirmations: number
  readonly mintPayTo: ReadonlyArray<Address>
  /** By token: its base units in one mint, where the token itself does not say. */
  readonly mintPortions: ReadonlyMap<Address, bigint>
  /** By token: addresses whose transfers to a person are mints, as those from the zero address are. */
  readonly mintStock: ReadonlyMap<Address, ReadonlyArray<Address>>
  readonly authorizationWindow: Duration.Duration
  /** `cluster` only with a `databaseUrl`. */
  readonly runners: RunnersMode
  /** An IANA zone name. Not set: the database's own default zone. */
  readonly databaseTimezone: string | undefined
  readonly databaseSslVerify: boolean
  readonly rpcTimeout: Duration.Duration
  readonly mintTimeout: Duration.Duration
  readonly databaseTimeout: Duration.Duration
  readonly drainTimeout: Duration.Duration
  /** Where the HTTP API and the page listen. */
  readonly opsHost: string
  readonly opsPort: number
  /** Secret. Without it, what it protects answers only beside a sandbox, and only on a loopback address. */
  readonly opsToken: Redacted.Redacted | undefined
  /** Secret. Opens the routes of v1.1 (`/api/ai-agent/…`) and nothing else. Never the same as `opsToken`. */
  readonly v1Token: Redacted.Redacted | undefined
  /** Where traces go (OTLP over HTTP). Without it none are made. Without a trailing slash. */
  readonly tracesUrl: string | undefined
  readonly logLevel: LogLevel.LogLevel
  readonly logFormat: LogFormat
}

export class Settings extends Context.Service<Settings, SettingsShape>()("ai-mint-executor/config/Settings") {}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/

/** Names and addresses that only this machine can reach (RFC 6890). */
export const isLoopback = (host: string): boolean => LOOPBACK.test(host)

/** A listener at every address is asked at the loopback address. */
const ANYWHERE: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" }

/** `http://127.0.0.1:4022`: where page and API of the executor can be asked. */
export const opsUrl = ({ opsHost, opsPort }: Pick<SettingsShape, "opsHost" | "opsPort">): string => {
  const host = ANYWHERE[opsHost] ?? opsHost
  return `http://${host.includes(":") ? `[${host}]` : host}:${opsPort}`
}

/** `EX_CONFIG` of sysexits.h. pm2 is configured not to restart on it: the same settings would only fail again. */
const EXIT_CODE = 78

/**
 * What keeps the executor from starting: every key that is missing or wrong, and what it should be. Values are never
 * part of it, as they may be secrets. `layer` in `load.ts` has printed them by then, so the runtime neither prints
 * them again nor adds a stack.
 */
export class BadSettings extends Schema.TaggedError<BadSettings>()("BadSettings", {
  problems: Schema.Array(Schema.String)
}) {
  override readonly [Runtime.errorExitCode] = EXIT_CODE
  override readonly [Runtime.errorReported] = false
  override get message(): string {
    const list = this.problems.map((problem) => `  - ${problem}`)
    return ["The settings do not let the executor start:", ...list, "Every setting is described in .env.example."].join(
      "\n"
    )
  }
}
