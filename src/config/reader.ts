import { Config, Effect, FileSystem, Option, Schema, SchemaIssue } from "effect"
import type { Field } from "./fields.ts"

/** Reads settings one by one and remembers what is wrong with them, so that all of it is reported at once. */
export interface Reader {
  /** In the order in which the keys were read. */
  readonly problems: ReadonlyArray<string>
  readonly report: (problem: string) => void
  readonly isSet: (key: string) => Effect.Effect<boolean>
  /**
   * None where the key is not set, or is set to something unusable. The latter is a problem; the former only where
   * `needed` says why it must be set.
   */
  readonly read: <A>(key: string, field: Field<A>, needed?: string) => Effect.Effect<Option.Option<A>>
  readonly readOr: <A>(key: string, field: Field<A>, fallback: A) => Effect.Effect<A>
  /** As `read`, from `key` or from the file that `<key>_FILE` names. Both of them is a problem. */
  readonly readSecret: <A>(
    key: string,
    field: Field<A>,
    needed?: string
  ) => Effect.Effect<Option.Option<A>, never, FileSystem.FileSystem>
}

/** Text of a setting without the space around it. Nothing left means not set. */
const textOf = (raw: string): Option.Option<string> => {
  const text = raw.trim()
  return text === "" ? Option.none() : Option.some(text)
}

const firstIssue = SchemaIssue.makeFormatterStandardSchemaV1()

/** The first sentence of an issue: by default `Schema` reports without the input. */
const explain = (error: Schema.SchemaError): string => firstIssue(error.issue).issues[0]?.message ?? "cannot be used"

export const makeReader = (): Reader => {
  const problems: Array<string> = []
  const report = (problem: string): void => {
    problems.push(problem)
  }

  const readText = (key: string): Effect.Effect<Option.Option<string>> =>
    Config.option(Config.String(key)).pipe(
      Effect.map(Option.flatMap(textOf)),
      Effect.catch(() => Effect.sync(() => report(`${key}: cannot be read`)).pipe(Effect.as(Option.none())))
    )

  const decode = <A>(key: string, field: Field<A>, text: string): Effect.Effect<Option.Option<A>> =>
    Schema.decodeEffect(field)(text).pipe(
      Effect.map(Option.some),
      Effect.catch((error) => Effect.sync(() => report(`${key}: ${explain(error)}`)).pipe(Effect.as(Option.none())))
    )

  const absent = (key: string, needed: string | undefined): Option.Option<never> => {
    if (needed !== undefined) report(`${key} is not set: ${needed}`)
    return Option.none()
  }

  const read = Effect.fnUntraced(function* <A>(key: string, field: Field<A>, needed?: string) {
    const text = yield* readText(key)
    return Option.isSome(text) ? yield* decode(key, field, text.value) : absent(key, needed)
  })

  const readSecret = Effect.fnUntraced(function* <A>(key: string, field: Field<A>, needed?: string) {
    const fileKey = `${key}_FILE`
    const path = yield* readText(fileKey)
    if (Option.isNone(path)) return yield* read(key, field, needed)
    if (Option.isSome(yield* readText(key))) {
      report(`${key} and ${fileKey} are both set: keep one`)
      return Option.none<A>()
    }
    if (yield* othersMayWrite(path.value)) {
      report(`${fileKey}: everybody on this machine may write the file that it names: chmod o-w`)
      return Option.none<A>()
    }
    const content = yield* readFile(path.value)
    if (Option.isSome(content)) return yield* decode(fileKey, field, content.value)
    report(`${fileKey}: the file that it names is empty or cannot be read`)
    return Option.none<A>()
  })

  return {
    problems,
    report,
    isSet: (key) => Effect.map(readText(key), Option.isSome),
    read,
    readOr: (key, field, fallback) =>
      Effect.map(
        read(key, field),
        Option.getOrElse(() => fallback)
      ),
    readSecret
  }
}

/** Such a file would let any account choose the key. False where the disk has no modes. */
const othersMayWrite = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  return yield* files.stat(path).pipe(
    Effect.map(({ mode }) => (mode & 0o002) !== 0),
    Effect.orElseSucceed(() => false)
  )
})

const readFile = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  return yield* files.readFileString(path).pipe(
    Effect.map(textOf),
    Effect.orElseSucceed(() => Option.none<string>())
  )
})
