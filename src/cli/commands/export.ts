import { Effect, Stream } from "effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { CLOSING, DIFFERENCE } from "../../operator/journal.ts"
import { Operator } from "../../operator/Operator.ts"
import * as Input from "../flags.ts"
import { Ended, EXIT, Io } from "../io.ts"
import { onOperator } from "../layers.ts"

/** No field holds a line end, so no text in the journal can pass for the beginning of such a row. */
const DIFFERING_ROW = `\r\n,,,,,${DIFFERENCE},`
const CLOSING_ROW = new RegExp(`\\r\\n,[^,\\r\\n]*,,,,${CLOSING},[^\\r\\n]*\\r\\n$`)

/** Longer than a row of the two kinds. */
const TAIL_CHARS = 2_000

const BEGUN = { tail: "", differs: false }

/** What is known of the text so far: parts may be cut anywhere. */
const afterPart = ({ tail, differs }: typeof BEGUN, part: string): typeof BEGUN => {
  const text = tail + part
  return { tail: text.slice(-TAIL_CHARS), differs: differs || text.includes(DIFFERING_ROW) }
}

export const exportCommand = Command.make(
  "export",
  {
    from: Input.momentFlag("from").pipe(Flag.withDescription("The first moment of the period, in UTC")),
    to: Input.momentFlag("to").pipe(Flag.withDescription("The first moment after it, in UTC")),
    direct: Input.direct
  },
  Effect.fnUntraced(function* ({ from, to }) {
    const { document, err } = yield* Io
    const csv = yield* (yield* Operator).journal({ from, to })
    const { tail, differs } = yield* Stream.runFold(
      Stream.tap(csv, (part) => Effect.sync(() => document(part))),
      () => BEGUN,
      afterPart
    )
    if (!CLOSING_ROW.test(tail)) err("❌ The journal is cut off: it has no closing row.")
    else if (differs) err(`❌ The journal does not close: see its rows of the kind "${DIFFERENCE}".`)
    else return
    return yield* new Ended({ code: EXIT.refused })
  })
).pipe(
  onOperator,
  Command.withDescription(
    "The journal of a period as CSV: deposits, payments, refunds, and what is reserved. Where it does not close to the books: exit code 1."
  ),
  Command.withExamples([{ command: "ai-mint export --from 2026-01-01 --to 2026-02-01 > january.csv" }])
)
