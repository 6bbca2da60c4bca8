import { Duration, Effect, type FileSystem, Result } from "effect"
import type { SettingsShape } from "../config/Settings.ts"
import * as DotEnv from "../config/dotEnv.ts"
import { load, network } from "../config/load.ts"
import { singleLine } from "../domain/text.ts"
import { nodeHttpClient } from "../mint/http.ts"
import { makeRedact, type Redact } from "../ops/redact.ts"
import { type Area, broken, type Diagnosis, type Finding, type Findings, reportOn } from "./Finding.ts"
import { codeFinding, examineChain, unknownChain } from "./chain.ts"
import { clocksFinding } from "./clocks.ts"
import { bindingFinding, type DatabaseExam, examineDatabase, unknownDatabase } from "./database.ts"
import { complete, embeddedDatabase } from "./local.ts"
import { examineExecutor, examineMintServer } from "./servers.ts"
import { badSettings, examineSettings, overriddenSettings } from "./settings.ts"

/** For all checks of one area, one after another. Each has a shorter limit of its own: at most 10 s. */
const AREA_LIMIT = Duration.seconds(90)

/**
 * Checks everything that the executor needs, whether or not one runs. Changes nothing and pays nothing. Never fails:
 * a check that cannot be made is a finding. Reads the environment and `.env` itself, as bad settings are what it is for.
 */
export const examine: Effect.Effect<Diagnosis, never, FileSystem.FileSystem> = Effect.gen(function* () {
  const loaded = yield* Effect.result(
    load({ terminal: false }).pipe(Effect.provide(network), Effect.provide(DotEnv.layer))
  )
  const findings = [
    ...overriddenSettings(yield* DotEnv.overridden),
    ...(Result.isSuccess(loaded) ? yield* examineWith(loaded.success) : badSettings(loaded.failure.problems))
  ]
  return { command: "doctor", findings } satisfies Diagnosis
})

/** All areas at once, reported in a fixed order and without the secrets of these settings. */
export const examineWith = Effect.fn("doctor.examine")(function* (asked: SettingsShape) {
  const { settings, findings: sandbox } = yield* complete(asked)
  const [database, chain, mintServer, executor] = yield* Effect.all(
    [
      inTime("database", databaseOf(settings, sandbox), unknownDatabase),
      inTime("chain", examineChain(settings), unknownChain),
      inTime("mint server", mintServerOf(settings), (findings) => findings),
      inTime("executor", examineExecutor(settings), (findings): Findings => findings)
    ],
    { concurrency: "unbounded" }
  ).pipe(Effect.provide(nodeHttpClient))
  const bound = database.bound
  return [
    ...examineSettings(asked),
    ...sandbox,
    ...database.findings,
    ...(bound === undefined ? [] : [bindingFinding(settings, bound.binding, chain.genesis)]),
    ...database.keys,
    ...chain.findings,
    ...codeFinding(database.usdcCode, chain.usdcCode),
    ...clocksFinding(database.aheadMs, chain.behindMs),
    ...mintServer,
    ...executor
  ].map(fitToShow(makeRedact(settings)))
})

const databaseOf = (settings: SettingsShape, sandbox: Findings): Effect.Effect<DatabaseExam> => {
  if (settings.databaseUrl !== undefined) return examineDatabase(settings)
  const runs = sandbox.some(({ level }) => level === "ok")
  return Effect.succeed(unknownDatabase(runs ? [embeddedDatabase] : []))
}

const mintServerOf = (settings: SettingsShape) =>
  settings.serverUrl === undefined ? Effect.succeed<Findings>([]) : examineMintServer(settings, settings.serverUrl)

/** An area that does not end in time, or breaks, is a finding too: the others are reported all the same. */
const inTime = <A, R>(area: Area, exam: Effect.Effect<A, never, R>, orElse: (findings: Findings) => A) => {
  const report = reportOn(area)
  const late = report.fail({
    what: "time",
    detail: `not looked at to the end within ${Duration.format(AREA_LIMIT)}`,
    remedy: "Look again; what is missing here does not answer in time."
  })
  return exam.pipe(
    Effect.timeoutOrElse({ duration: AREA_LIMIT, orElse: () => Effect.succeed(orElse([late])) }),
    Effect.catchDefect((defect) => Effect.succeed(orElse([broken({ report, what: "check" }, defect)])))
  )
}

/**
 * The second line of defence: no finding is made of a secret, but texts of other programs may hold one, or control
 * characters for a terminal.
 */
const fitToShow = (redact: Redact) => {
  const text = (raw: string): string => singleLine(redact(raw))
  return (finding: Finding): Finding => ({
    ...finding,
    detail: text(finding.detail),
    ...(finding.remedy === undefined ? {} : { remedy: text(finding.remedy) })
  })
}
