import { Effect } from "effect"
import type { SettingsShape } from "../config/Settings.ts"
import { disagreement, ownedInWords, type Runner } from "../domain/Runner.ts"
import { version } from "../ops/process.ts"
import { sharingProblem } from "../runners/fitness.ts"
import { ONE_ALONE, readOneAlone, readRunners } from "../runners/registry.ts"
import { sharedSettings } from "../runners/sharedSettings.ts"
import { type Findings, reportOn } from "./Finding.ts"

const report = reportOn("database")
const what = "runners"

/**
 * Executors that divide the wallets among them, and whether they can. Needs two connections that nothing else waits for.
 * Says nothing where there are none and there is to be none.
 */
export const runners = Effect.fnUntraced(function* (settings: SettingsShape) {
  const present = yield* readRunners
  if (settings.runners === "single") return present.length === 0 ? [] : [report.warn(notSharing(present))]
  const problem = yield* sharingProblem
  if (problem !== undefined) return [report.fail(problem)]
  if (present.length === 0) return [report.ok({ what, detail: "none shares the database yet, and it can be shared" })]
  const alone = (yield* readOneAlone) ? [report.warn({ what, detail: ONE_ALONE, remedy: ALIKE })] : []
  return [...present.map((one) => report.ok({ what, detail: owns(one) })), ...unlike(settings, present), ...alone]
})

const ALIKE = "All executors of one database must be the same version with the same settings."

const owns = (one: Runner): string => `${one.name} (${one.version}) owns ${ownedInWords(one.parts)}`

const notSharing = (present: ReadonlyArray<Runner>) => ({
  what,
  detail: `RUNNERS=single here, and the wallets are divided among ${present.map(({ name }) => name).join(", ")}`,
  remedy:
    "Set RUNNERS=cluster on every machine, or on none: one that owns everything does the work of the others again."
})

/** Each of them is held against the settings that the doctor has. */
const unlike = (settings: SettingsShape, present: ReadonlyArray<Runner>): Findings => {
  const here = { version, settings: sharedSettings(settings) }
  return present.flatMap((other) => {
    const detail = disagreement(here, other, "here")
    return detail === undefined ? [] : [report.warn({ what, detail, remedy: ALIKE })]
  })
}
