import * as Command from "effect/cli/Command"
import { Schema } from "effect"
import { EventReport } from "../../operator/reports/status.ts"
import * as Input from "../flags.ts"
import { jsonLineOf } from "../json.ts"
import type { Kit } from "../Kit.ts"
import { watch } from "../watch.ts"
import { eventWords } from "../words/event.ts"
import { coloured, plain } from "../words/paint.ts"

const encode = Schema.encodeSync(EventReport)

export const watchCommand = <E>(kit: Kit<E>) =>
  Command.make("watch", { json: Input.json }, ({ json }) => {
    const paint = kit.io.colour ? coloured : plain
    return watch(kit, (event) => (json ? jsonLineOf(encode(event)) : eventWords(event, { paint })))
  }).pipe(
    Command.withDescription("Tells what happens, as it happens, until Ctrl-C. With --json a line is one JSON object."),
    Command.withExamples([
      { command: "ai-mint watch" },
      { command: "ai-mint watch --json | jq 'select(.kind == \"task.completed\")'" }
    ])
  )
