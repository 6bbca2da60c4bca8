import { Duration, Effect, Layer, Result, type Schema } from "effect"
import type { SqlClient } from "effect/sql"
import type { MigrationError } from "effect/sql/Migrator"
import type { SqlError } from "effect/sql/SqlError"
import * as KeyCustodyAes from "../chain/KeyCustodyAes.ts"
import { Settings, type SettingsShape } from "../config/Settings.ts"
import type { Bytes32 } from "../domain/Address.ts"
import { bindingProblem, type BoundChain } from "../domain/requirements.ts"
import { layerAs } from "../ledger/Database.ts"
import { bounded } from "../ledger/sql/failure.ts"
import { databaseAdvice } from "../ops/advice.ts"
import { attempt, type Finding, type Findings, type CheckOptions, reportOn } from "./Finding.ts"
import { aheadOfOurs, clockFinding } from "./clocks.ts"
import { runners } from "./databaseRunners.ts"
import { server, sessions } from "./databaseServer.ts"
import { readTables, shapeFindings, type Tables } from "./databaseTables.ts"
import { times } from "./databaseTimes.ts"
import { changedWallets, twins } from "./databaseWallets.ts"
import { work } from "./databaseWork.ts"
import { keys } from "./keys.ts"

const report = reportOn("database")

/** Checks at once. A server counts its connections, and an operator in trouble may have none to spare. */
const CONNECTIONS_MAX = 3

export interface DatabaseExam {
  readonly findings: Findings
  readonly keys: Findings
  /** Undefined where it could not be read. */
  readonly bound: { readonly binding: BoundChain | undefined } | undefined
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
    Effect.catch((error) =>
      Effect.map(checkBy(settings, connects, Effect.fail(error)), (findings) => unknownDatabase(findings))
    )
  )

const connects = {
  report,
  what: "connects",
  remedy:
    "Look whether the server runs and DATABASE_URL is right (host, port, user, password, sslmode). " +
    "Nothing is lost: the executor waits for it."
}

const slow = (what: string) => ({ report, what, remedy: "Look at the log and the load of the database." })

export const unknownDatabase = (findings: Findings): DatabaseExam => ({
  findings,
  keys: [],
  bound: undefined,
  usdcCode: undefined,
  aheadMs: undefined
})

/** All checks of a database that is given. Changes nothing. */
export const examineConnected = Effect.fnUntraced(function* (settings: SettingsShape) {
  const first = yield* checkBy(settings, connects, server(settings))
  if (first.some(({ what, level }) => what === "connects" && level === "fail")) return unknownDatabase(first)
  // By itself: beside others it could have to wait for a connection, and take that for a difference.
  let aheadMs: number | undefined
  const time = yield* checkBy(
    settings,
    slow("clock"),
    Effect.map(aheadOfOurs, (ms) => [clockFinding((aheadMs = ms))])
  )
  const read = yield* Effect.result(boundedBy(settings)("tables", readTables))
  if (Result.isFailure(read)) {
    return unknownDatabase([...first, ...time, ...(yield* attempt(slow("tables"), Effect.fail(read.failure)))])
  }
  const found = read.success
  const checks = yield* Effect.all(checksOf(settings, found), { concurrency: CONNECTIONS_MAX })
  // By itself too: what needs two connections must not wait for those of the others.
  const sharing = yield* checkBy(settings, slow("runners"), runners(settings))
  const keyFindings = yield* hasOrders(found) ? checkKeys(settings) : Effect.succeed([])
  return {
    findings: [...first, ...time, ...shapeFindings(found), ...checks.flat(), ...sharing],
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
  "ai_agent_pay_ins",
  "ai_agent_pauses"
]

/** Where all that `work` reads is there: in a database that is not up to date it may not be. */
const hasLedger = (found: Tables): boolean => isReadable(found, ...LEDGER) && found.migrations.pending.length === 0

const checksOf = (settings: SettingsShape, found: Tables) => {
  const check = (what: string, query: Parameters<typeof checkBy<SqlClient.SqlClient>>[2]) =>
    checkBy(settings, slow(what), query)
  return [
    check("executors", sessions(settings)),
    ...(isReadable(found, "ai_agent_tasks") ? [check("time zone", times(settings, found))] : []),
    ...(isReadable(found, "ai_agent_wallets") ? [check("twin wallets", twins)] : []),
    ...(isReadable(found, "ai_agent_wallets", "ai_agent_wallet_pins")
      ? [check("changed wallets", changedWallets)]
      : []),
    ...(hasLedger(found) ? [check("open orders", work(settings))] : [])
  ]
}

const checkKeys = (settings: SettingsShape) =>
  checkBy(
    settings,
    { report: reportOn("keys"), what: "wallet keys", remedy: "Look at the log of the database." },
    keys(settings)
  ).pipe(Effect.provide(KeyCustodyAes.layer.pipe(Layer.provide(Layer.succeed(Settings, settings)))))

/** For one check of the database: an operator waits, and a server that takes longer is the finding. */
const LIMIT_MAX = Duration.seconds(10)

type Query<A, R> = Effect.Effect<A, SqlError | MigrationError | Schema.SchemaError, R>

/** Bounds statements in time, and fails with messages that hold no secret. */
const boundedBy = ({ databaseTimeout }: SettingsShape) => bounded(Duration.min(databaseTimeout, LIMIT_MAX))

/** One check of the database; see `attempt`. */
const checkBy = <R>(settings: SettingsShape, options: CheckOptions, query: Query<Findings, R>) =>
  attempt(
    options,
    Effect.mapError(boundedBy(settings)(options.what, query), ({ reason, detail }) => {
      const remedy = databaseAdvice(detail)
      return { message: `${reason}: ${detail}`, ...(remedy === undefined ? {} : { remedy }) }
    })
  )

/** Whether database and chain belong together. `genesis`: hash of the chain's first block, where a node answered. Pure. */
export const bindingFinding = (
  { network }: SettingsShape,
  binding: BoundChain | undefined,
  genesis: Bytes32 | undefined
): Finding => {
  const what = "its chain"
  if (binding === undefined) return report.ok({ what, detail: "none yet: the first start binds it to one for ever" })
  const chain = { chainId: network.chainId, usdc: network.usdc.address, genesis: genesis ?? binding.genesis }
  const problem = bindingProblem(binding, chain)
  if (problem !== undefined) return report.fail(problem)
  const detail =
    genesis === undefined ? "the id is right; no node told its first block" : "the one that the nodes lead to"
  return report.ok({ what, detail: `${binding.chainId}: ${detail}` })
}
