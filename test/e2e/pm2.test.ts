import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { vi } from "vitest"
import { isRunning } from "../../src/sandbox/sandboxFile.ts"
import { clientAt } from "../support/LedgerSql.ts"
import { person } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { balanceOf, type BaseSepolia, deployment, openBaseSepolia, pay, placeOrder, PRICE, TOKEN, USDC } from "./baseSepolia.ts"
import { gateTo } from "./gate.ts"
import { addAllPackages, install } from "./installation.ts"
import { descendantsOf, eventually, mintsTo, paymentsFrom, ROOT, start, until, untilGone } from "./support.ts"

vi.mock(import("../../src/config/Network.ts"), async (original) => {
  const networks = await original()
  return { ...networks, local: { ...networks.baseSepolia, blockSeconds: 1 } }
})

const APP = "ai-mint-executor"

const Apps = Schema.fromJsonString(
  Schema.Array(
    Schema.Struct({
      name: Schema.String,
      pid: Schema.Int,
      pm2_env: Schema.Struct({
        status: Schema.String,
        restart_time: Schema.Int,
        exit_code: Schema.optionalKey(Schema.Int)
      })
    })
  )
)

/** A pm2 of the installation's own, as its operator's shell has it. Its daemon ends with the scope. */
const pm2In = Effect.fnUntraced(function* (directory: string) {
  const home = join(directory, "pm2")
  const file = (path: string) => Effect.sync(() => readFileSync(join(home, path), { encoding: "utf8", flag: "a+" }))
  const begin = (...args: ReadonlyArray<string>) =>
    start({
      args: [join(ROOT, "node_modules/pm2/bin/pm2"), ...args],
      cwd: directory,
      env: { HOME: directory, PM2_HOME: home, PM2_DISCRETE_MODE: "true" }
    })
  const run = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
    const command = yield* begin(...args)
    assert.deepStrictEqual(yield* command.ended, { code: 0, signal: null }, command.said.stderr)
    return command.said.stdout
  }, Effect.scoped)
  const app = run("jlist").pipe(
    Effect.flatMap(Schema.decodeEffect(Apps)),
    Effect.map((apps) => apps.map(({ name, pid, pm2_env }) => ({ name, pid, ...pm2_env }))[0])
  )
  yield* Effect.acquireRelease(Effect.void, () => Effect.orDie(Effect.andThen(run("kill"), untilGone(daemonOf(file)))))
  return { begin, run, app, daemonSays: file("pm2.log"), appSays: file(`logs/${APP}-out.log`), errors: file(`logs/${APP}-error.log`) }
})
