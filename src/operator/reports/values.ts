import { DateTime, Option, Schema, SchemaTransformation } from "effect"
import { Usdc } from "../../domain/Usdc.ts"

/** Describes a value as it is sent, which is what OpenAPI and MCP show of it. */
export const described =
  (description: string) =>
  <S extends Schema.Top>(schema: S): S["Rebuild"] =>
    Schema.annotateEncoded<S>({ description })(schema)

/** USDC in base units (6 decimals), as decimal text: JSON has no integers of that size. */
export const Amount = Schema.BigIntFromString.pipe(
  Schema.decodeTo(Usdc),
  described("USDC in base units (6 decimals), as text: 1 USDC is 1000000")
)

/** A number that may be larger than JSON's, and less than nothing. */
export const Whole = Schema.BigIntFromString.pipe(described("A whole number, as text"))

/** A moment: ISO 8601 in UTC outside, milliseconds since 1970 inside. */
export const Instant = Schema.String.annotate({ description: "A moment: ISO 8601, in UTC" }).pipe(
  Schema.decodeTo(
    Schema.Number,
    SchemaTransformation.transform({
      decode: (text) => Option.match(DateTime.make(text), { onNone: () => Number.NaN, onSome: DateTime.toEpochMillis }),
      encode: (ms) => DateTime.formatIso(DateTime.makeUnsafe(ms))
    })
  )
)

/** `null` outside, `undefined` inside: not known, or not there. */
export const orNull = <S extends Schema.Constraint>(schema: S) =>
  Schema.NullOr(schema).pipe(
    Schema.decodeTo(
      Schema.UndefinedOr(Schema.toType(schema)),
      SchemaTransformation.transform<S["Type"] | undefined, S["Type"] | null>({
        decode: (value) => value ?? undefined,
        encode: (value) => value ?? null
      })
    )
  )

/** PostgreSQL has no place for U+0000, nor its JSON for half of a pair: asked with them, it answers with a fault. */
const wellFormed = Schema.makeFilter(
  (text: string) =>
    (text.isWellFormed() && !text.includes("\0")) || "expected text without U+0000 and broken characters"
)

/** A short name of something, as a person types it. */
export const Name = Schema.String.check(Schema.isMaxLength(64), wellFormed)

/** The reason of a decision, in the person's words. Kept with it for ever. */
export const Why = Schema.String.check(
  wellFormed,
  Schema.makeFilter((text) => text.trim() !== "" || "expected a reason, in words"),
  Schema.isMaxLength(500)
)
