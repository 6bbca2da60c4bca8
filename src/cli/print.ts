import { Clock, Effect, Schema } from "effect"
import { UNPRINTABLE } from "../domain/text.ts"
import { Operator, type OperatorError } from "../operator/Operator.ts"
import { Io } from "./io.ts"
import { coloured, type Look, plain } from "./words/paint.ts"

/** Prints a report: its words for people or, with `--json`, what programs read. */
export const print = Effect.fnUntraced(function* <A>(
  report: A,
  isJson: boolean,
  words: (report: A, look: Look) => ReadonlyArray<string>,
  json: (report: A) => unknown = (it) => it
) {
  const { out, colour } = yield* Io
  const look = { paint: colour ? coloured : plain, nowMs: yield* Clock.currentTimeMillis }
  out(isJson ? jsonOf(json(report)) : words(report, look).join("\n"))
})

/** The same for a report of the API, whose JSON is the API's. */
export const printer =
  <S extends Schema.ConstraintEncoder<unknown>>(
    schema: S,
    words: (report: S["Type"], look: Look) => ReadonlyArray<string>
  ) =>
  (report: S["Type"], isJson: boolean) =>
    print(report, isJson, words, Schema.encodeSync(schema))

/** What a command does that asks the operator one thing: it prints the report. */
export const reporting =
  <S extends Schema.ConstraintEncoder<unknown>, Input extends { readonly json: boolean }>(
    schema: S,
    words: (report: S["Type"], look: Look) => ReadonlyArray<string>,
    ask: (operator: Operator["Service"], input: Input) => Effect.Effect<S["Type"], OperatorError>
  ) =>
  (input: Input) =>
    Effect.flatMap(
      Effect.flatMap(Operator, (operator) => ask(operator, input)),
      (report) => print(report, input.json, words, Schema.encodeSync(schema))
    )

/** The report for programs: amounts and block numbers as text, what is not known as null. */
export const jsonOf = (report: unknown): string => escaped(JSON.stringify(report, plainly, 2))

/** The same in one line. */
export const jsonLineOf = (report: unknown): string => escaped(JSON.stringify(report, plainly))

/** JSON leaves most of them as they are, and a terminal may show it. What is between values has none but line ends. */
const escaped = (json: string): string =>
  json.replaceAll(UNPRINTABLE, (char) =>
    char === "\n" ? char : `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`
  )

const plainly = (_key: string, value: unknown): unknown =>
  typeof value === "bigint" ? value.toString() : value === undefined ? null : value
