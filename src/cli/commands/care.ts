import { Effect } from "effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { worst } from "../../checks/Finding.ts"
import { doctorWords } from "../../checks/doctorReport.ts"
import * as Input from "../flags.ts"
import { Ended, EXIT } from "../io.ts"
import type { Kit } from "../Kit.ts"

export const doctorCommand = <E>({ ways, tell }: Kit<E>) =>
  Command.make(
    "doctor",
    { json: Input.json },
    Effect.fnUntraced(function* ({ json }) {
      const form = { words: doctorWords, json: (report: unknown) => report }
      const { findings } = yield* tell(ways.examine, form, json)
      if (worst(findings) === "fail") return yield* new Ended({ code: EXIT.refused })
    })
  ).pipe(
    Command.withDescription(
      "Looks at all that the executor needs, whether or not it runs, and says what to repair. Anything that fails is exit code 1."
    )
  )

export const migrateCommand = <E>({ ways, tell }: Kit<E>) =>
  Command.make(
    "migrate",
    {
      dryRun: Flag.Boolean("dry-run").pipe(
        Flag.withDefault(false),
        Flag.withDescription("Tells what there is to do, and changes nothing")
      ),
      json: Input.json
    },
    Effect.fnUntraced(function* ({ dryRun, json }) {
      // It brings the whole of the database's client: only who migrates waits for that.
      const { migrationWords } = yield* Effect.promise(() => import("../../checks/migrations.ts"))
      const form = { words: migrationWords, json: (report: unknown) => report }
      const { unknown } = yield* tell(ways.migrate({ dryRun }), form, json)
      if (unknown.length > 0) return yield* new Ended({ code: EXIT.refused })
    })
  ).pipe(
    Command.withDescription("Brings the database of DATABASE_URL up to date, as the executor does at its start."),
    Command.withExamples([{ command: "ai-mint migrate --dry-run", description: "What there is to do" }])
  )
