import { PgClient } from "@effect/sql-pg"
import { Duration, Effect, Layer, Redacted } from "effect"
import { Settings, type SettingsShape } from "../config/Settings.ts"
import { saslPrepUrl } from "./saslPrep.ts"

/** Enough for the wallets that take turns at once; a small part of what a server allows by default (100). */
export const CONNECTIONS_MAX = 10

/** How long a server may take to accept a connection. Shorter than `DATABASE_TIMEOUT`, so that its error is seen. */
const CONNECT_TIMEOUT = "5 seconds"

/**
 * A connection is used for so long. After a failover those that are open lead to the server that was the primary, and
 * would stay on it for ever: a new one goes where the name in the URL leads by then.
 */
const CONNECTION_TTL = "30 seconds"

/** The name by which the server knows connections of an executor. */
export const EXECUTOR = "ai-mint-executor"

/** The same, of one that divides the wallets with others. By the two names they find one that was left to own everything. */
export const SHARING = `${EXECUTOR} sharing`

/** The operator's PostgreSQL. The URL must be set: only on `local` it may be missing, and the sandbox brings another. */
export const layerAs = (who: { readonly applicationName: string; readonly connectionsMax: number }) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const settings = yield* Settings
      const url = yield* Effect.fromNullishOr(settings.databaseUrl).pipe(Effect.orDie)
      return PgClient.layer({
        url: Redacted.make(saslPrepUrl(Redacted.value(url))),
        ...tls(settings, Redacted.value(url)),
        applicationName: who.applicationName,
        connectTimeout: CONNECT_TIMEOUT,
        connectionTTL: CONNECTION_TTL,
        maxConnections: who.connectionsMax,
        startupParameters: {
          // The server gives up too, also where this process is gone.
          statement_timeout: String(Duration.toMillis(settings.databaseTimeout)),
          // A row that another program holds is tried again later, long before the time of the whole statement is up.
          lock_timeout: String(Math.ceil(Duration.toMillis(settings.databaseTimeout) / 10)),
          // A process that is frozen in the middle of a transaction lets go of its rows while those who wait for them
          // still do.
          idle_in_transaction_session_timeout: String(Math.ceil(Duration.toMillis(settings.databaseTimeout) / 2)),
          // v1.1's trigger stamps rows with the wall time of the session that changes them: ours is then that of the others.
          ...(settings.databaseTimezone === undefined ? {} : { TimeZone: settings.databaseTimezone })
        }
      })
    })
  )

/** The same for the executor. */
export const layer = Layer.unwrap(
  Effect.map(Settings, ({ runners }) =>
    layerAs({ applicationName: runners === "single" ? EXECUTOR : SHARING, connectionsMax: CONNECTIONS_MAX })
  )
)

/** `sslmode` in the URL says whether to encrypt; `DATABASE_SSL_VERIFY=false` lets a self-signed certificate pass. */
const tls = (settings: SettingsShape, url: string) => {
  const mode = URL.parse(url)?.searchParams.get("sslmode") ?? "disable"
  return settings.databaseSslVerify || mode === "disable" ? {} : { ssl: { rejectUnauthorized: false } }
}
