import type { HttpBindings } from "@hono/node-server"
import { Effect, Schema, SchemaIssue } from "effect"
import type { Context } from "hono"

/** Every answer of the control server that is none of what was asked for. */
export const Refusal = Schema.Struct({
  error: Schema.String,
  /** What is wrong with the request: `quantity: expected …`. */
  problems: Schema.optionalKey(Schema.Array(Schema.String))
})
export type Refusal = typeof Refusal.Type

export const refuse = (c: Context, status: 400 | 403 | 404 | 413 | 500 | 502 | 503, refusal: Refusal): Response =>
  c.json(refusal, status)

/** What the socket says, never a header: those are the caller's own words. No socket, no answer. */
export const isLoopback = (c: Context): boolean => {
  const { incoming } = c.env as Partial<HttpBindings>
  return /^(?:127\.|::1$|::ffff:127\.)/.test(incoming?.socket.remoteAddress ?? "")
}

/** A browser says which page asks. None of ours does: any other one would play the person who pays, or break things. */
export const isOfPage = (c: Context): boolean => {
  const site = c.req.header("sec-fetch-site")
  return c.req.header("origin") !== undefined || (site !== undefined && site !== "none")
}

const problemsOf = SchemaIssue.makeFormatterStandardSchemaV1()

/** The body as `schema` has it, or all that is wrong with it. */
export const readBody = <S extends Schema.ConstraintDecoder<unknown>>(
  schema: S
): ((c: Context) => Effect.Effect<S["Type"] | { readonly problems: ReadonlyArray<string> }>) => {
  const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(schema), { errors: "all", onExcessProperty: "error" })
  return (c) =>
    Effect.promise(() => c.req.text()).pipe(
      Effect.flatMap(decode),
      Effect.catchTag("SchemaError", ({ issue }) => {
        const problems = problemsOf(issue).issues.map(({ path = [], message }) => [...path, message].join(": "))
        return Effect.succeed({ problems })
      })
    )
}
