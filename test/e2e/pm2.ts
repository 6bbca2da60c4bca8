import { assert } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { ROOT, start, untilGone } from "./support.ts"

/** As in `ecosystem.config.cjs`. */
export const APP = "ai-mint-executor"

const Apps = Schema.fromJsonString(
  Schema.Array(
    Schema.Struct({
      name: Schema.String,
      pid: Schema.Int,
      pm2_env: Schema.Struct({
        status: Schema.String,
        exit_code: Schema.optionalKey(Schema.Int)
      })
    })
  )
)

/** The pm2 of one installation, as its operator's shell has it. Its daemon ends with the scope. */
export const pm2In = Effect.fnUntraced(function* (directory: string) {
  const home = join(directory, "pm2")
  const begin = (...args: ReadonlyArray<string>) =>
    start({
      args: [join(ROOT, "node_modules/pm2/bin/pm2"), ...args],
      cwd: directory,
      env: { HOME: directory, PM2_HOME: home, PM2_DISCRETE_MODE: "true" }
    })
  const outputOf = Effect.fnUntraced(function* (args: ReadonlyArray<string>) {
    const command = yield* begin(...args)
    assert.deepStrictEqual(yield* command.ended, { code: 0, signal: null }, command.said.stderr)
    return command.said.stdout
  })
  const run = (...args: ReadonlyArray<string>) => Effect.scoped(outputOf(args))
  const read = (path: string) => readFileSync(join(home, path), { encoding: "utf8", flag: "a+" })
  const end = Effect.gen(function* () {
    const daemon = Number(read("pm2.pid"))
    yield* run("kill")
    yield* untilGone([daemon])
  })
  yield* Effect.addFinalizer(() => end)
  return {
    /** Runs a command of pm2 that takes its time. */
    begin,
    /** Runs a command of pm2 and gives its output. */
    run,
    /** The one app of the installation. */
    app: run("jlist").pipe(
      Effect.flatMap(Schema.decodeEffect(Apps)),
      Effect.map((apps) => apps.map(({ pm2_env, ...app }) => ({ ...app, ...pm2_env }))),
      Effect.flatMap(([app]) => Effect.fromNullishOr(app)),
      Effect.orDie
    ),
    /** What the daemon tells of its own doings. */
    daemonLog: () => read("pm2.log"),
    /** What `pm2 logs` shows. */
    log: () => read(`logs/${APP}-out.log`),
    errorLog: () => read(`logs/${APP}-error.log`)
  }
})
export type Pm2 = Effect.Success<ReturnType<typeof pm2In>>
