import { Config, Effect, FileSystem, Option, Schema, SchemaIssue } from "effect"
import type { Field } from "./fields.ts"

/** Reads settings one by one and remembers what is wrong with them, so that all of it is reported at once. */
export interface Reader {
  /** In the order in which the keys were read. */
  readonly problems: ReadonlyArray<string>
  readonly report: (problem: string) => void
  readonly isSet: (key: string) => Effect.Effect<boolean>
  /**
   * `undefined` where the key is not set, or is set to something unusable. The latter is a problem; the former only
   * where `needed` says why it must be set.
   */
  readonly read: <A>(key: string, field: Field<A>, needed?: string) => Effect.Effect<A | undefined>
  readonly readOr: <A>(key: string, field: Field<A>, fallback: A) => Effect.Effect<A>
  /** As `read`, from `key` or from the file that `<key>_FILE` names. Both of them is a problem. */
  readonly readSecret: <A>(
    key: string,
    field: Field<A>,
    needed?: string
  ) => Effect.Effect<A | undefined, never, FileSystem.FileSystem>
}

/** Text of a setting without the space around it. Nothing left means not set. */
const textOf = (raw: string): string | undefined => raw.trim() || undefined

const firstIssue = SchemaIssue.makeFormatterStandardSchemaV1()

/** The first sentence of an issue: by default `Schema` reports without the input. */
const firstProblem = (error: Schema.SchemaError): string =>
  firstIssue(error.issue).issues[0]?.message ?? "cannot be used"

export const makeReader = (): Reader => {
  const problems: Array<string> = []
  const report = (problem: string): undefined => {
    problems.push(problem)
    return undefined
  }

  const readText = (key: string): Effect.Effect<string | undefined> =>
    Config.option(Config.String(key)).pipe(
      Effect.map((text) => textOf(Option.getOrElse(text, () => ""))),
      Effect.catch(() => Effect.sync(() => report(`${key}: cannot be read`)))
    )

  const decode = <A>(key: string, field: Field<A>, text: string): Effect.Effect<A | undefined> =>
    Effect.catch(Schema.decodeEffect(field)(text), (error) =>
      Effect.sync(() => report(`${key}: ${firstProblem(error)}`))
    )

  const read = Effect.fnUntraced(function* <A>(key: string, field: Field<A>, needed?: string) {
    const text = yield* readText(key)
    if (text === undefined && needed !== undefined) report(`${key} is not set: ${needed}`)
    return text === undefined ? undefined : yield* decode(key, field, text)
  })

  const readSecret = Effect.fnUntraced(function* <A>(key: string, field: Field<A>, needed?: string) {
    const fileKey = `${key}_FILE`
    const path = yield* readText(fileKey)
    if (path === undefined) return yield* read(key, field, needed)
    if ((yield* readText(key)) !== undefined) return report(`${key} and ${fileKey} are both set: keep one`)
    if (yield* othersMayWrite(path))
      return report(`${fileKey}: everybody on this machine may write the file that it names: chmod o-w`)
    const content = yield* readFile(path)
    if (content !== undefined) return yield* decode(fileKey, field, content)
    return report(`${fileKey}: the file that it names is empty or cannot be read`)
  })

  return {
    problems,
    report,
    isSet: (key) => Effect.map(readText(key), (text) => text !== undefined),
    read,
    readOr: (key, field, fallback) => Effect.map(read(key, field), (value) => value ?? fallback),
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
    Effect.orElseSucceed(() => undefined)
  )
})
