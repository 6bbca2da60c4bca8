import { Effect } from "effect"
import * as Command from "effect/cli/Command"
import { Operator } from "../../operator/Operator.ts"
import { StatusReport } from "../../operator/reports/status.ts"
import * as Input from "../flags.ts"
import { Io } from "../io.ts"
import { onOperator } from "../layers.ts"
import { printer } from "../print.ts"
import { directStatusWords, statusWords } from "../words/status.ts"

const printStatus = printer(StatusReport, statusWords)
const printDirect = printer(StatusReport, directStatusWords)

const DIRECT = "Straight from database and chain: whether an executor runs is not looked at (ai-mint doctor does)."

export const statusCommand = Command.make(
  "status",
  { direct: Input.direct, json: Input.json },
  Effect.fnUntraced(function* ({ direct, json }) {
    const report = yield* (yield* Operator).status
    yield* direct ? printDirect(report, json) : printStatus(report, json)
    if (direct) (yield* Io).err(DIRECT)
  })
).pipe(
  onOperator,
  Command.withDescription("What runs now: is all well, orders and money by state, and what needs a look.")
)
