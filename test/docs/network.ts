import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Fiber, Schedule } from "effect"
import { randomBytes } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { run } from "../../src/cli/run.ts"
import { commandLayers } from "../../src/cli/layers.ts"
import { maintenance } from "../../src/cli/Maintenance.ts"
import { findSandbox } from "../../src/sandbox/sandboxFile.ts"
import { closedPort, eventually, ROOT, start, startExecutor, temporaryDirectory } from "../e2e/support.ts"
import { startPostgres } from "../support/postgresServer.ts"
import { faultOf, type Given, isEndless, isNotRun, type Ran } from "./commands.ts"
import type { Routes } from "./mentions.ts"

/** A local network that runs, and what is in it. */
export interface Network {
  readonly databaseUrl: string
  readonly url: string
  readonly given: Given
}

/** Every setting that could come from the machine would be another network's. */
const forgetSettings = Effect.sync(() => {
  const keys = readFileSync(join(ROOT, ".env.example"), "utf8").matchAll(/^# ([A-Z][A-Z0-9_]*)=/gm)
  for (const [, key = ""] of keys) delete process.env[key]
})

const postgres = Effect.acquireRelease(
  Effect.promise(() => startPostgres()),
  ({ stop }) => Effect.promise(stop)
)

/** Starts it on a PostgreSQL of its own, so that commands can go straight to database and chain as well. */
export const startNetwork = Effect.gen(function* () {
  const directory = yield* temporaryDirectory
  const { url: databaseUrl } = yield* postgres
  const port = String(yield* closedPort)
  const settings = {
    DATABASE_URL: `${databaseUrl}/postgres`,
    AGENT_ENCRYPTION_KEY: randomBytes(32).toString("hex"),
    OPS_PORT: port,
    CHECK_INTERVAL: "500ms",
    MINT_INTERVAL: "500ms"
  }
  const executor = yield* startExecutor(directory, settings)
  yield* executor.line("Page and API")
  const sandbox = yield* findSandbox(join(directory, ".data"))
  // From here on commands of this process are about that network.
  yield* forgetSettings
  yield* Effect.sync(() => {
    process.chdir(directory)
    Object.assign(process.env, settings, { LOCAL_RPC_URL: sandbox.rpcUrl, SERVER_URL: sandbox.serverUrl })
  })
  const given = yield* placeOrders(sandbox.serverUrl)
  return { databaseUrl: settings.DATABASE_URL, url: `http://127.0.0.1:${port}`, given } satisfies Network
})

interface Placed {
  readonly taskId: string
  readonly userAddress: string
  readonly agentAddress: string
  readonly token: string
}

const post = <A>(url: string, body: unknown) =>
  Effect.promise(async (): Promise<A> => {
    const headers = { "content-type": "application/json" }
    return (await (await fetch(url, { method: "POST", headers, body: JSON.stringify(body) })).json()) as A
  })

/** One order that is completed, and one that nobody pays. */
const placeOrders = Effect.fnUntraced(function* (serverUrl: string) {
  const orders = `${serverUrl}/sandbox/orders`
  const paid = yield* post<Placed>(orders, { quantity: 2, pay: "now" })
  const unpaid = yield* post<Placed>(orders, { quantity: 2, pay: "never" })
  yield* eventually(
    "the order is completed",
    Effect.promise(async () => {
      const { order } = (await (await fetch(`${orders}/${paid.taskId}`)).json()) as { order: { status: string } }
      return order.status === "completed" ? true : undefined
    })
  )
  return {
    completed: paid.taskId.slice(0, 8),
    pending: unpaid.taskId.slice(0, 8),
    wallet: paid.agentAddress,
    user: paid.userAddress,
    token: paid.token
  } satisfies Given as Given
})

/** The routes that the running executor documents. */
export const routesOf = (url: string) =>
  Effect.promise(async (): Promise<Routes> => {
    const document = (await (await fetch(`${url}/openapi.json`)).json()) as { readonly paths: Routes }
    return document.paths
  })

/** The metrics that the running executor tells; and those of the code, which it tells when they are due. */
export const metricsOf = (url: string, code: string) =>
  Effect.promise(async (): Promise<ReadonlySet<string>> => {
    const text = await (await fetch(`${url}/metrics`)).text()
    const told = [...text.matchAll(/^# TYPE (\w+)/gm)].map(([, name = ""]) => name)
    const made = [...code.matchAll(/"(ai_mint_\w+)"/g)].map(([, name = ""]) => name)
    return new Set([...told, ...made])
  })

/** `ai-mint` in this process, with the real layers for the executor, the database and the chain. */
export const runCommand = Effect.fnUntraced(function* (argv: ReadonlyArray<string>) {
  const said = { out: "", err: "" }
  const io = {
    out: (text: string) => void (said.out += `${text}\n`),
    err: (text: string) => void (said.err += `${text}\n`),
    colour: false,
    document: (part: string) => void (said.out += part),
    expectInterruption: () => {}
  }
  const code = yield* run(argv, { io, layers: commandLayers, maintenance }).pipe(Effect.provide(NodeServices.layer))
  return { code, ...said } satisfies Ran as Ran
})

/** Carries a command out. One that never ends is started, and ended when it had the time to fail. */
export const tryCommand = Effect.fnUntraced(function* (argv: ReadonlyArray<string>) {
  if (isNotRun(argv)) return faultOf(yield* runCommand([...argv, "--help"]))
  if (!isEndless(argv)) return faultOf(yield* runCommand(argv))
  const running = yield* Effect.forkChild(runCommand(argv))
  yield* Effect.sleep("1 second")
  const ended = running.pollUnsafe()
  if (ended === undefined) return void (yield* Fiber.interrupt(running))
  return ended._tag === "Success" ? `it ended with code ${ended.value.code}: ${ended.value.err}` : "it broke"
})

/** The same as a process of its own, by the script that documents name. */
export const tryScript = Effect.fnUntraced(function* () {
  const args = ["--import", join(ROOT, "src/guard.js"), join(ROOT, "src/cli/main.ts"), "status"]
  const process_ = yield* start({ args, cwd: process.cwd(), env: { OPS_PORT: process.env["OPS_PORT"] ?? "" } })
  const { code } = yield* process_.ended
  return faultOf({ code: code ?? -1, out: process_.said.stdout, err: process_.said.stderr })
})

interface Told {
  readonly next?: { readonly commands: ReadonlyArray<string> }
  readonly attention?: ReadonlyArray<{ readonly command: string }>
}

/** What the running executor itself says is to be typed next. */
export const advice = Effect.fnUntraced(function* ({ given }: Network) {
  const questions = [["explain", given.completed], ["explain", given.pending], ["status"]]
  const told = yield* Effect.forEach(questions, (argv) =>
    runCommand([...argv, "--json"]).pipe(
      Effect.map(({ out }) => JSON.parse(out) as Told),
      Effect.retry(Schedule.recurs(1))
    )
  )
  return told.flatMap(({ next, attention = [] }) => [
    ...(next?.commands ?? []),
    ...attention.map(({ command }) => command)
  ])
})
