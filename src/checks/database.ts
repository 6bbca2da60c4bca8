import { Effect, Layer, Result } from "effect"
import type { SqlClient } from "effect/sql"
import * as KeyCustodyAes from "../chain/KeyCustodyAes.ts"
import { Settings, type SettingsShape } from "../config/Settings.ts"
import { layerAs } from "../ledger/Database.ts"
import type { Binding } from "../ledger/NetworkBinding.ts"
import { attempt, type Findings } from "./attempt.ts"
import { aheadOfOurs, server, sessions, skew } from "./databaseServer.ts"
import { shapeFindings } from "./databaseShape.ts"
import { readTables, type Tables } from "./databaseTables.ts"
import { times } from "./databaseTimes.ts"
import { changedWallets, twins } from "./databaseWallets.ts"
import { work } from "./databaseWork.ts"
import { sayerOf } from "./Finding.ts"
import { keys } from "./keys.ts"
import { boundedBy, lookAt } from "./look.ts"

const say = sayerOf("database")

/** Looks at once. A server counts its connections, and an operator in trouble may have none to spare. */
const CONNECTIONS_MAX = 3

export interface DatabaseExam {
  readonly findings: Findings
  readonly keys: Findings
  /** Undefined where it could not be read. */
  readonly bound: { readonly binding: Binding | undefined } | undefined
  /** The code that USDC is known to run; undefined where none is noted, or it could not be read. */
  readonly usdcCode: string | undefined
  /** How far its clock is ahead of this machine's, in milliseconds. */
  readonly aheadMs: number | undefined
}

/** The database of `DATABASE_URL`, by a name that does not pass for an executor. The URL must be set. */
export const examineDatabase = (settings: SettingsShape): Effect.Effect<DatabaseExam> =>
  examineConnected(settings).pipe(
    Effect.provide(
      layerAs({ applicationName: "ai-mint-doctor", connectionsMax: CONNECTIONS_MAX }).pipe(
        Layer.provide(Layer.succeed(Settings, settings))
      ),
      { local: true }
    ),
    Effect.catch((error) => Effect.map(lookAt(settings, connects, Effect.fail(error)), (findings) => unknown(findings)))
  )

const connects = {
  say,
  what: "connects",
  remedy:
    "Look whether the server runs and DATABASE_URL is right (host, port, user, password, sslmode). " +
    "Nothing is lost: the executor waits for it."
}

const slow = (what: string) => ({ say, what, remedy: "Look at the log and the load of the database." })

export const unknown = (findings: Findings): DatabaseExam => ({
  findings,
  keys: [],
  bound: undefined,
  usdcCode: undefined,
  aheadMs: undefined
})

/** All that is looked at, in a database that is given. Changes nothing. */
export const examineConnected = Effect.fnUntraced(function* (settings: SettingsShape) {
  const first = yield* lookAt(settings, connects, server(settings))
  if (first.some(({ what, level }) => what === "connects" && level === "fail")) return unknown(first)
  // By itself: beside others it could have to wait for a connection, and take that for a difference.
  let aheadMs: number | undefined
  const time = yield* lookAt(
    settings,
    slow("clock"),
    Effect.map(aheadOfOurs, (ms) => [skew((aheadMs = ms))])
  )
  const read = yield* Effect.result(boundedBy(settings)("tables", readTables))
  if (Result.isFailure(read)) {
    return unknown([...first, ...time, ...(yield* attempt(slow("tables"), Effect.fail(read.failure)))])
  }
  const found = read.success
  const looks = yield* Effect.all(looksAt(settings, found), { concurrency: CONNECTIONS_MAX })
  const keyFindings = yield* hasOrders(found) ? keyLook(settings) : Effect.succeed([])
  return {
    findings: [...first, ...time, ...shapeFindings(found), ...looks.flat()],
    keys: keyFindings,
    bound: { binding: found.binding },
    usdcCode: found.usdcCode,
    aheadMs
  } satisfies DatabaseExam
})

const isReadable = ({ tables }: Tables, ...names: ReadonlyArray<string>): boolean =>
  names.every((name) => tables.get(name)?.canSelect === true)

const hasOrders = (found: Tables): boolean => isReadable(found, "ai_agent_tasks", "ai_agent_wallets")

const LEDGER = [
  "ai_agent_tasks",
  "ai_agent_task_state",
  "ai_agent_wallet_state",
  "ai_agent_batches",
  "ai_agent_refunds",
  "ai_agent_pauses"
]

/** Where all that `work` reads is there: in a database that is not up to date it may not be. */
const hasLedger = (found: Tables): boolean => isReadable(found, ...LEDGER) && found.migrations.pending.length === 0

const looksAt = (settings: SettingsShape, found: Tables) => {
  const lookHere = (what: string, query: Parameters<typeof lookAt<SqlClient.SqlClient>>[2]) =>
    lookAt(settings, slow(what), query)
  return [
    lookHere("executors", sessions),
    ...(isReadable(found, "ai_agent_tasks") ? [lookHere("time zone", times(settings, found))] : []),
    ...(isReadable(found, "ai_agent_wallets") ? [lookHere("twin wallets", twins)] : []),
    ...(isReadable(found, "ai_agent_wallets", "ai_agent_wallet_pins")
      ? [lookHere("changed wallets", changedWallets)]
      : []),
    ...(hasLedger(found) ? [lookHere("open orders", work(settings))] : [])
  ]
}

const keyLook = (settings: SettingsShape) =>
  lookAt(
    settings,
    { say: sayerOf("keys"), what: "wallet keys", remedy: "Look at the log of the database." },
    keys(settings)
  ).pipe(Effect.provide(KeyCustodyAes.layer.pipe(Layer.provide(Layer.succeed(Settings, settings)))))
