import { Duration, Redacted } from "effect"
import { createHash } from "node:crypto"
import type { SettingsShape } from "../config/Settings.ts"

/**
 * A digest of each setting that decides what becomes of an order, and so must be the same in all executors that share a
 * database. Too short to find a value by, and long enough to tell two apart.
 */
export const sharedSettings = (settings: SettingsShape): Readonly<Record<string, string>> => {
  const key = settings.agentEncryptionKey
  const values: Readonly<Record<string, unknown>> = {
    NETWORK: settings.network.name,
    SERVER_URL: settings.serverUrl,
    MINT_PROTOCOL: settings.mintProtocol,
    AGENT_ENCRYPTION_KEY: key && Redacted.value(key),
    PAYMENT_TIMEOUT: Duration.toMillis(settings.paymentTimeout),
    MAX_BATCH_SIZE: settings.maxBatchSize,
    MAX_RETRY_COUNT: settings.maxRetryCount,
    CONFIRMATIONS: settings.confirmations,
    MINT_PAY_TO: settings.mintPayTo.toSorted(),
    MINT_PORTIONS: [...settings.mintPortions].map(([token, portion]) => `${token}:${portion}`).toSorted(),
    MINT_STOCK: [...settings.mintStock].map(([token, sellers]) => `${token}:${sellers.toSorted().join()}`).toSorted(),
    AUTHORIZATION_WINDOW: Duration.toMillis(settings.authorizationWindow),
    DATABASE_TIMEZONE: settings.databaseTimezone
  }
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, digest(value)]))
}

const digest = (value: unknown): string =>
  createHash("sha256")
    .update(JSON.stringify(value ?? null))
    .digest("hex")
    .slice(0, 12)
