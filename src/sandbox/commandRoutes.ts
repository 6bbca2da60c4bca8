import { Effect, FiberSet, Schema, type Scope } from "effect"
import type { Hono } from "hono"
import { bodyLimit } from "hono/body-limit"
import { readBody, refuse } from "./controlAnswers.ts"

/** How a command ended, and what it would have written. */
export interface CommandAnswer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Carries out what was typed behind `npm run ai-mint --`. */
export type RunCommand<R> = (args: ReadonlyArray<string>) => Effect.Effect<CommandAnswer, never, R>

/** `POST /sandbox/commands`: the embedded database belongs to this process, and so do commands on it. */
export interface Commands {
  readonly routes: (app: Hono) => void
  /** Commands are carried out from now on, until the scope closes. */
  readonly serve: <R>(run: RunCommand<R>) => Effect.Effect<void, never, R | Scope.Scope>
}

/** A command line is some 200 bytes. */
const BODY_BYTES_MAX = 10_000

const Body = Schema.Struct({ args: Schema.Array(Schema.String) })

export const makeCommands = (): Commands => {
  let carryOut: ((args: ReadonlyArray<string>) => Promise<CommandAnswer>) | undefined
  const readArgs = readBody(Body)
  return {
    routes: (app) => {
      const limit = bodyLimit({
        maxSize: BODY_BYTES_MAX,
        onError: (c) => refuse(c, 413, { error: `a command has at most ${BODY_BYTES_MAX} bytes` })
      })
      app.post("/sandbox/commands", limit, async (c) => {
        const body = await Effect.runPromise(readArgs(c))
        if ("problems" in body) return refuse(c, 400, { error: "this is not a command", problems: body.problems })
        if (carryOut === undefined) return refuse(c, 503, { error: "the executor is still starting" })
        return c.json(await carryOut(body.args))
      })
    },
    serve: <R>(run: RunCommand<R>) =>
      Effect.gen(function* () {
        const promise = yield* FiberSet.makeRuntimePromise<R, CommandAnswer, never>()
        yield* Effect.acquireRelease(
          Effect.sync(() => {
            carryOut = (args) => promise(run(args))
          }),
          () =>
            Effect.sync(() => {
              carryOut = undefined
            })
        )
      })
  }
}
