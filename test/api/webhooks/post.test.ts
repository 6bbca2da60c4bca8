import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { makePost } from "../../../src/api/webhooks/post.ts"
import { endpoint, type Reply, status } from "./endpoint.ts"

const posting = Effect.fnUntraced(function* (...replies: Array<Reply>) {
  const there = yield* endpoint(...replies)
  const post = yield* makePost
  const send = (host = `127.0.0.1:${there.port}`) =>
    post({ url: new URL(`http://${host}/hook`), address: "127.0.0.1" }, { "webhook-id": "msg_1" }, '{"type":"a"}')
  return { there, send }
})

describe("a request to an endpoint", () => {
  it.effect("is one POST with a JSON body, over a connection that is kept", () =>
    Effect.gen(function* () {
      const ports = new Set<number | undefined>()
      const { there, send } = yield* posting((response) => {
        ports.add(response.socket?.remotePort)
        response.end("ok")
      })
      assert.deepStrictEqual(yield* send(), { status: 200, retryAfterMs: undefined })
      yield* send()
      const { headers, body, path } = yield* there.next
      assert.deepStrictEqual([path, body, headers["webhook-id"]], ["/hook", '{"type":"a"}', "msg_1"])
      assert.strictEqual(headers["content-type"], "application/json")
      assert.strictEqual(ports.size, 1)
    })
  )

  it.effect("goes to the address that was checked, whatever the name leads to", () =>
    Effect.gen(function* () {
      const { there, send } = yield* posting(status(204))
      // There is no such name: nothing was looked up.
      assert.strictEqual((yield* send(`hook.invalid:${there.port}`)).status, 204)
      assert.strictEqual((yield* there.next).headers.host, `hook.invalid:${there.port}`)
    })
  )

  it.effect("follows no redirect", () =>
    Effect.gen(function* () {
      const { there, send } = yield* posting((response, { path }) =>
        path === "/hook" ? response.writeHead(307, { location: "/elsewhere" }).end() : response.end()
      )
      assert.strictEqual((yield* send()).status, 307)
      assert.strictEqual((yield* there.next).path, "/hook")
      assert.strictEqual(yield* there.size, 0)
    })
  )

  it.effect("has 20 seconds, and then no answer", () =>
    Effect.gen(function* () {
      const { there, send } = yield* posting(() => undefined)
      const sending = yield* Effect.forkChild(Effect.flip(send()))
      yield* there.next
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual((yield* Fiber.join(sending)).message, "no answer within 20s")
    })
  )

  it.effect("has no more than 20 seconds for an answer that trickles, whose status counts", () =>
    Effect.gen(function* () {
      const { there, send } = yield* posting((response) => {
        response.writeHead(200)
        response.write("a")
        response.on("drain", () => response.write("a"))
      })
      const sending = yield* Effect.forkChild(send())
      yield* there.next
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual((yield* Fiber.join(sending)).status, 200)
    })
  )

  it.effect("reads no more than a little of an answer", () =>
    Effect.gen(function* () {
      const { send } = yield* posting((response) => {
        const more = () => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536))) continue
        }
        response.writeHead(200).on("drain", more)
        more()
      })
      assert.strictEqual((yield* send()).status, 200)
    })
  )

  it.effect("gives what Retry-After asks for: seconds, or a date", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_796_040_000_000)
      const { send } = yield* posting(
        status(503, { "retry-after": "120" }),
        status(503, { "retry-after": "Mon, 30 Nov 2026 12:01:00 GMT" }),
        status(503, { "retry-after": "soon" })
      )
      const asked = yield* Effect.forEach([1, 2, 3], () => send())
      assert.deepStrictEqual(
        asked.map(({ retryAfterMs }) => retryAfterMs),
        [120_000, 60_000, undefined]
      )
    })
  )

  it.effect("says in our words that nothing listens", () =>
    Effect.gen(function* () {
      const post = yield* makePost
      const target = { url: new URL("http://127.0.0.1:1/hook"), address: "127.0.0.1" }
      assert.strictEqual((yield* Effect.flip(post(target, {}, "{}"))).message, "no answer (ECONNREFUSED)")
    })
  )
})
