import { Effect, Option, Redacted, Schema } from "effect"
import type { SettingsShape } from "../config/Settings.ts"
import { type Findings, reportOn } from "./Finding.ts"

const report = reportOn("sandbox")

/** Settings with what a running sandbox adds to them, and the findings about it. */
export interface Completed {
  readonly settings: SettingsShape
  readonly findings: Findings
}

/**
 * On `local` what the settings do not name belongs to the sandbox that runs, on `dataDir` or on its usual directory.
 * Elsewhere nothing is changed or said.
 */
export const complete = Effect.fnUntraced(function* (settings: SettingsShape, dataDir?: string) {
  if (!settings.network.hasSandbox || isWhole(settings)) return { settings, findings: [] } satisfies Completed
  const sandbox = yield* Effect.option(running(dataDir))
  if (Option.isNone(sandbox)) return { settings, findings: [nothingRuns(settings)] } satisfies Completed
  const { pid, rpcUrl, executorRpcUrl = rpcUrl, serverUrl, databaseUrl } = sandbox.value
  const way = executorRpcUrl === rpcUrl ? "" : ` (asked by way of ${executorRpcUrl})`
  return {
    settings: {
      ...settings,
      databaseUrl: settings.databaseUrl ?? (databaseUrl === "embedded" ? undefined : databaseUrl),
      rpcUrls: settings.rpcUrls.length > 0 ? settings.rpcUrls : [Redacted.make(executorRpcUrl)],
      serverUrl: settings.serverUrl ?? serverUrl
    },
    findings: [
      report.ok({
        what: "runs",
        detail: `process ${pid}, chain at ${rpcUrl}${way}, mint server at ${serverUrl}`
      })
    ]
  } satisfies Completed
})

const isWhole = ({ databaseUrl, rpcUrls, serverUrl }: SettingsShape): boolean =>
  databaseUrl !== undefined && rpcUrls.length > 0 && serverUrl !== undefined

/** A lean install has no sandbox: then none runs either. */
class NoSandbox extends Schema.TaggedError<NoSandbox>()("NoSandbox", {}) {}

const running = (dataDir: string | undefined) =>
  Effect.promise(() => import("../sandbox/sandboxFile.ts")).pipe(
    Effect.flatMap(({ DATA_DIR, findSandbox }) => findSandbox(dataDir ?? DATA_DIR)),
    Effect.catchDefect(() => new NoSandbox())
  )

const nothingRuns = ({ databaseUrl, rpcUrls, serverUrl }: SettingsShape) => {
  const missing = [
    ...(databaseUrl === undefined ? ["database"] : []),
    ...(rpcUrls.length === 0 ? ["chain"] : []),
    ...(serverUrl === undefined ? ["mint server"] : [])
  ]
  return report.warn({
    what: "runs",
    detail: `nothing runs: on NETWORK=local the ${missing.join(", ")} would be the sandbox's`,
    remedy: "Start it: npm start. Or set NETWORK to base-sepolia or base."
  })
}

/** The database lives in the sandbox's process: no other process can read it. */
export const embeddedDatabase = reportOn("database").ok({
  what: "connects",
  detail: "it belongs to the running sandbox, which brings it up to date at its start"
})
