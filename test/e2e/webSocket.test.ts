import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { connect, createServer, type AddressInfo, type Socket } from "node:net"
import { vi } from "vitest"
import type { TaskId } from "../../src/domain/Task.ts"
import { clientAt } from "../support/LedgerSql.ts"
import { person } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { type BaseSepolia, deployment, openBaseSepolia, pay, placeOrder, TOKEN } from "./baseSepolia.ts"
import { closedPort, mintsTo, type Running, startExecutor, temporaryDirectory, TIMEOUT_MS, until } from "./support.ts"

vi.mock(import("../../src/config/Network.ts"), async (original) => {
  const networks = await original()
  return { ...networks, local: { ...networks.baseSepolia, blockSeconds: 1 } }
})

/** A way to the node that can be cut: then what is open ends, and nothing more gets through until it is mended. */
const openWay = Effect.fnUntraced(function* (rpcUrl: string) {
  const to = { host: "127.0.0.1", port: Number(new URL(rpcUrl).port) }
  const open = new Set<Socket>()
  const way = { isCut: false }
  const server = yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const starting = createServer((near) => {
        if (way.isCut) return void near.destroy()
        const far = connect(to)
        for (const [one, other] of [
          [near, far],
          [far, near]
        ] as const) {
          open.add(one)
          one.pipe(other)
          one.on("error", () => other.destroy()).on("close", () => void (open.delete(one), other.destroy()))
        }
      }).listen(0, "127.0.0.1", () => resume(Effect.succeed(starting)))
    }),
    (running) =>
      Effect.sync(() => {
        running.close()
        for (const socket of open) socket.destroy()
      })
  )
  const { port } = server.address() as AddressInfo
  return {
    url: `ws://127.0.0.1:${port}/?key=api-key-123456`,
    host: `127.0.0.1:${port}`,
    cut: Effect.sync(() => {
      way.isCut = true
      for (const socket of open) socket.destroy()
    }),
    mend: Effect.sync(() => void (way.isCut = false))
  }
})

interface Ready {
  readonly announcements?: ReadonlyArray<{ readonly stage: string }>
}

interface Story {
  readonly world: BaseSepolia
  readonly way: Effect.Success<ReturnType<typeof openWay>>
  readonly executor: Running
  /** What `/readyz` says of the way: nothing before the routes of the API are there. */
  readonly stage: Effect.Effect<string | undefined>
  /** Blocks that were announced so far. */
  readonly announced: Effect.Effect<number>
}

/** An executor whose loops sleep for an hour after their first look: all that happens is by new blocks. */
const onWebSocket = Effect.fnUntraced(function* <E, R>(story: (given: Story) => Effect.Effect<void, E, R>) {
  const world = yield* openBaseSepolia
  const way = yield* openWay(world.chain.rpcUrl)
  const databaseUrl = yield* Postgres.freshDatabase()
  const port = yield* closedPort
  const env = {
    ...deployment(world, databaseUrl),
    BASE_SEPOLIA_RPC_URL: `${world.chain.rpcUrl},${way.url}`,
    CHECK_INTERVAL: "1 hour",
    MINT_INTERVAL: "1 hour",
    OPS_PORT: String(port)
  }
  const executor = yield* startExecutor(yield* temporaryDirectory, env)
  yield* executor.line("Monitoring for funded tasks...")
  const ask = (path: string) => Effect.promise(() => fetch(`http://127.0.0.1:${port}${path}`))
  const readyz = Effect.flatMap(ask("/readyz"), (answer) => Effect.promise(() => answer.json()))
  const metrics = Effect.flatMap(ask("/metrics"), (answer) => Effect.promise(() => answer.text()))
  const given: Story = {
    world,
    way,
    executor,
    stage: Effect.map(readyz, (ready) => (ready as Ready).announcements?.[0]?.stage),
    announced: Effect.map(metrics, (text) => Number(/^ai_mint_chain_announcements_total\{.*\} (\d+)$/m.exec(text)?.[1]))
  }
  yield* Effect.provide(story(given), clientAt(databaseUrl))
  yield* executor.kill("SIGTERM")
  assert.deepStrictEqual(yield* executor.ended, { code: 0, signal: null })
  assert.notInclude(executor.said.stdout + executor.said.stderr, "api-key")
})

const statusOf = Effect.fnUntraced(function* (task: TaskId) {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly status: string }>`SELECT status FROM ai_agent_tasks WHERE id = ${task}`
  return row?.status
})

const isCompleted = (task: TaskId) => Effect.map(statusOf(task), (status) => status === "completed")

const MINTS = 4

describe("an executor that hears of new blocks over a WebSocket", () => {
  it.live(
    "funds, pays and delivers an order by them",
    () =>
      onWebSocket(
        Effect.fnUntraced(function* ({ world, executor, stage, announced }) {
          const who = yield* person("ann")
          yield* until(
            "the API answers",
            Effect.map(stage, (now) => now !== undefined)
          )
          assert.strictEqual(yield* stage, "unused")
          const task = yield* placeOrder(who, MINTS)
          yield* until(
            "blocks are announced",
            Effect.map(stage, (now) => now === "live")
          )
          yield* pay(world, who, MINTS)
          yield* until("the order is completed", isCompleted(task))
          assert.strictEqual(yield* mintsTo(world.chain, TOKEN, who.userAddress), MINTS)
          assert.isAtLeast(yield* announced, 3)
          assert.include(executor.said.stdout, "WebSocket Endpoints: 1")
          assert.notInclude(executor.said.stdout, "announces no new blocks")
        })
      ),
    TIMEOUT_MS
  )

  it.live(
    "asks for them while it is cut off, says so once, and hears of them again",
    () =>
      onWebSocket(
        Effect.fnUntraced(function* ({ world, way, executor, stage }) {
          const [who, next] = [yield* person("ben"), yield* person("cid")]
          const task = yield* placeOrder(who, MINTS)
          yield* until(
            "blocks are announced",
            Effect.map(stage, (now) => now === "live")
          )
          yield* way.cut
          yield* executor.line(`${way.host} announces no new blocks, and they are asked for instead: Unavailable`)
          yield* pay(world, who, MINTS)
          yield* until("the order is completed", isCompleted(task))
          const other = yield* placeOrder(next, MINTS)
          yield* way.mend
          yield* executor.line(`${way.host} announces new blocks again`)
          yield* pay(world, next, MINTS)
          yield* until("the other order is completed", isCompleted(other))
          const lines = executor.said.stdout.split("\n").filter((line) => line.includes("announces no new blocks,"))
          assert.lengthOf(lines, 1)
        })
      ),
    TIMEOUT_MS
  )
})
