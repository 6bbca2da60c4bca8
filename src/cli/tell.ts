import { Clock, Effect } from "effect"
import type { Io } from "./io.ts"
import { jsonOf } from "./json.ts"
import { coloured, type Look, plain } from "./words/paint.ts"

/** A report for people, and the same for programs. */
export interface Form<A> {
  readonly words: (report: A, look: Look) => ReadonlyArray<string>
  /** What is printed as JSON. */
  readonly json: (report: A) => unknown
}

/** Does what was asked for and tells its report. */
export type Tell = <A, E, R>(work: Effect.Effect<A, E, R>, form: Form<A>, asJson: boolean) => Effect.Effect<A, E, R>

export const makeTell =
  (io: Io): Tell =>
  (work, { words, json }, asJson) =>
    Effect.gen(function* () {
      const report = yield* work
      const look = { paint: io.colour ? coloured : plain, nowMs: yield* Clock.currentTimeMillis }
      io.out(asJson ? jsonOf(json(report)) : words(report, look).join("\n"))
      return report
    })
