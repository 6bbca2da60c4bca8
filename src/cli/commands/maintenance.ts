import { Effect, Option } from "effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { worst } from "../../checks/Finding.ts"
import * as Input from "../flags.ts"
import { Ended, EXIT } from "../io.ts"
import { Maintenance, type SandboxPayment } from "../Maintenance.ts"
import { print } from "../print.ts"
import { doctorWords, migrationWords } from "../words/doctor.ts"
import { hang, usdcOf } from "../words/text.ts"

export const doctorCommand = Command.make(
  "doctor",
  { json: Input.json },
  Effect.fnUntraced(function* ({ json }) {
    const diagnosis = yield* (yield* Maintenance).examine
    yield* print(diagnosis, json, doctorWords)
    if (worst(diagnosis.findings) === "fail") return yield* new Ended({ code: EXIT.refused })
  })
).pipe(
  Command.withDescription(
    "Looks at all that the executor needs, whether or not it runs, and says what to repair. Anything that fails is exit code 1."
  )
)

export const migrateCommand = Command.make(
  "migrate",
  {
    dryRun: Flag.Boolean("dry-run").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Tells what there is to do, and changes nothing")
    ),
    json: Input.json
  },
  Effect.fnUntraced(function* ({ dryRun, json }) {
    const report = yield* (yield* Maintenance).migrate({ dryRun })
    yield* print(report, json, migrationWords)
    if (report.unknown.length > 0) return yield* new Ended({ code: EXIT.refused })
  })
).pipe(
  Command.withDescription("Brings the database of DATABASE_URL up to date, as the executor does at its start."),
  Command.withExamples([{ command: "ai-mint migrate --dry-run", description: "What there is to do" }])
)

const paymentWords = ({ taskId, agentAddress, amount }: SandboxPayment): ReadonlyArray<string> => [
  ...hang("💵 ", `${usdcOf(amount)} are paid to ${agentAddress}`),
  ...hang("   ", `for task ${taskId}: the executor sees them at one of its next checks`)
]

const payCommand = Command.make(
  "pay",
  {
    task: Input.task,
    amount: Input.amountFlag("amount").pipe(
      Flag.optional,
      Flag.withDescription("How many USDC like 2.5. Default: all that the order costs")
    ),
    json: Input.json
  },
  Effect.fnUntraced(function* ({ task, amount, json }) {
    const { payOrder } = yield* Maintenance
    yield* print(yield* payOrder(task, Option.getOrUndefined(amount)), json, paymentWords)
  })
).pipe(
  Command.withDescription("Pays for an order, as its person would, with money of the sandbox."),
  Command.withExamples([{ command: "ai-mint sandbox pay abc12345 --amount 2.5", description: "A part of it" }])
)

const resetCommand = Command.make(
  "reset",
  { json: Input.json },
  Effect.fnUntraced(function* ({ json }) {
    const said = yield* (yield* Maintenance).resetSandbox
    yield* print({ command: "reset", said }, json, (report) => [report.said])
  })
).pipe(Command.withDescription("Deletes the data of the sandbox, which must not run: its chain and its database."))

export const sandboxCommand = Command.make("sandbox").pipe(
  Command.withDescription("The local network: plays the person who pays, and begins anew."),
  Command.withSubcommands([payCommand, resetCommand])
)
