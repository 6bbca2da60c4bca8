import { Effect, Schema } from "effect"
import type { Context, Hono } from "hono"
import { bodyLimit } from "hono/body-limit"
import { readBody, refuse } from "./controlAnswers.ts"
import { allowed, Blocks, describe, type Faults, isToken, type Kind, Milliseconds, Times } from "./faults.ts"

/** All faults at once, with a token each, are some 3,000 bytes. */
const BODY_BYTES_MAX = 20_000

const faultOf = (kinds: ReadonlyArray<Kind>) => {
  const kind = Schema.Literals(kinds).annotate({ message: `expected one of ${kinds.join(", ")}` })
  return Schema.Struct({
    kind,
    times: Schema.optionalKey(Times),
    token: Schema.optionalKey(
      Schema.String.check(Schema.makeFilter((text) => isToken(text) || `expected ${allowed.token}`))
    ),
    ms: Schema.optionalKey(Milliseconds),
    blocks: Schema.optionalKey(Blocks)
  })
}

/** The body of `PUT /sandbox/faults`: all that is to be on. */
const bodyOf = (kinds: ReadonlyArray<Kind>) => Schema.Struct({ faults: Schema.Array(faultOf(kinds)) })

/** The answer to all of them. */
export const FaultsState = Schema.Struct({
  /** Where `times` is given, that many are left. */
  faults: Schema.Array(
    Schema.Struct({
      kind: Schema.String,
      times: Schema.optionalKey(Schema.Int),
      token: Schema.optionalKey(Schema.String),
      ms: Schema.optionalKey(Schema.Int),
      blocks: Schema.optionalKey(Schema.Int)
    })
  ),
  /** How often since the start, by kind. */
  injected: Schema.Record(Schema.String, Schema.Int),
  /** What can be switched on here, and what it does. */
  kinds: Schema.Record(Schema.String, Schema.String)
})
export type FaultsState = typeof FaultsState.Type

/** `GET`, `PUT` and `DELETE /sandbox/faults`: what is on, this and nothing else, and nothing any more. */
export const faultRoutes = (app: Hono, faults: Faults): void => {
  const path = "/sandbox/faults"
  const kinds = Object.fromEntries(faults.kinds.map((kind) => [kind, describe(kind)]))
  const state = (c: Context): Response =>
    c.json({ faults: faults.on(), injected: faults.injected(), kinds } satisfies FaultsState)
  const onError = (c: Context) => refuse(c, 413, { error: `a set of faults has at most ${BODY_BYTES_MAX} bytes` })
  const readFaults = readBody(bodyOf(faults.kinds))

  app.get(path, state)
  app.put(path, bodyLimit({ maxSize: BODY_BYTES_MAX, onError }), async (c) => {
    const body = await Effect.runPromise(readFaults(c))
    if ("problems" in body) return refuse(c, 400, { error: "these are not faults", problems: body.problems })
    faults.set(body.faults)
    return state(c)
  })
  app.delete(path, (c) => {
    faults.set([])
    return state(c)
  })
}
