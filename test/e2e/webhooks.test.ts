import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { join } from "node:path"
import { Webhook } from "standardwebhooks"
import { endpoint, status } from "../api/webhooks/endpoint.ts"
import { closedPort, ROOT, start, startExecutor, temporaryDirectory, TIMEOUT_MS } from "./support.ts"

const QUICK = { CHECK_INTERVAL: "500ms", MINT_INTERVAL: "500ms" }

/** What the test reads of a message. */
interface Message {
  readonly type: string
  readonly data: { readonly orderId?: string }
}

describe("webhooks on the local network", () => {
  it.live(
    "tell of an order from its making to its completion, signed, and the second time that is asked for",
    () =>
      Effect.gen(function* () {
        const there = yield* endpoint(status(200))
        const directory = yield* temporaryDirectory
        const env = { OPS_PORT: String(yield* closedPort) }
        const executor = yield* startExecutor(directory, { ...QUICK, ...env })
        yield* executor.line("Page and API:")
        const aiMint = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
          const cli = ["--import", join(ROOT, "src/guard.js"), join(ROOT, "src/cli/main.ts")]
          const command = yield* start({ args: [...cli, ...args, "--json"], cwd: directory, env })
          assert.deepStrictEqual(yield* command.ended, { code: 0, signal: null }, command.said.stderr)
          return JSON.parse(command.said.stdout)
        })
        const { id, secret } = yield* aiMint("webhooks", "add", there.url, "--events", "order.created,order.completed")
        const next = Effect.map(there.next, ({ body, headers }) => ({
          id: headers["webhook-id"],
          body: new Webhook(secret).verify(body, headers as Record<string, string>) as Message
        }))
        const desk = yield* start({
          args: [join(ROOT, "src/sandbox/order.ts"), "--quantity", "2", "--pay", "now"],
          cwd: directory
        })
        assert.deepStrictEqual(yield* desk.ended, { code: 0, signal: null })
        const task = /Task: +(\S+)/.exec(desk.said.stdout)?.[1]
        // The sample order, which began before, may be completed meanwhile.
        const ofTask = Effect.repeat(next, { until: ({ body }) => body.data.orderId === task })
        assert.strictEqual((yield* ofTask).body.type, "order.created")
        const completed = yield* ofTask
        assert.deepInclude(completed.body, { type: "order.completed" })
        const { delivery } = yield* aiMint("webhooks", "redeliver", String(completed.id))
        assert.deepInclude(delivery, { webhookId: id, state: "delivered", type: "order.completed" })
        assert.strictEqual((yield* ofTask).id, completed.id)
        assert.strictEqual((yield* aiMint("webhooks", "test", id.slice(0, 8))).delivery.type, "webhook.test")
      }),
    TIMEOUT_MS
  )
})
