import { opsUrl } from "../../src/config/Settings.ts"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { createServer, type IncomingMessage } from "node:http"
import { hostname, userInfo } from "node:os"
import { type Place } from "../../src/cli/client/errors.ts"
import { CHANGE, DECIDE, type Executor, LOOK, makeAsk } from "../../src/cli/client/ExecutorClient.ts"
import { actorWords, operatorName } from "../../src/operator/Caller.ts"
import { Unanswered } from "../../src/operator/Operator.ts"
import { directActor } from "../../src/cli/io.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { closedPort } from "../e2e/support.ts"

interface Reply {
  readonly status: number
  readonly body: unknown
  readonly type?: string
}

/** A server that says this to whatever it is asked; nothing at all where there is nothing to say. */
const serverSaying = Effect.fnUntraced(function* (reply: Reply | "silence" | "hangs up") {
  const seen: Array<IncomingMessage> = []
  const server = createServer((request, response) => {
    seen.push(request)
    if (reply === "silence") return
    if (reply === "hangs up") return void request.socket.destroy()
    response.writeHead(reply.status, { "content-type": reply.type ?? "application/problem+json" })
    response.end(typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body))
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  const address = server.address()
  const opsPort = typeof address === "object" && address !== null ? address.port : 0
  return { seen, place: { opsHost: "127.0.0.1", opsPort, opsToken: undefined } satisfies Place as Place }
})

const cancel = ({ tasks }: Executor) => tasks.cancel({ params: { task: "abc" }, payload: { why: "so" } })

const problem = (status: number, title: string, more: object = {}): Reply => ({
  status,
  body: { type: "about:blank", status, title, ...more }
})

const failure = Effect.fnUntraced(function* (reply: Reply | "hangs up", token?: string) {
  const { place } = yield* serverSaying(reply)
  const opsToken = token === undefined ? undefined : Redacted.make(token)
  const failed = yield* Effect.flip(makeAsk({ ...place, opsToken })(cancel, DECIDE))
  const reason = failed._tag === "Refused" ? failed._tag : failed.reason
  return { reason, message: failed.message.replace(String(place.opsPort), "PORT") }
})

describe("where the executor is", () => {
  it.each([
    ["127.0.0.1", "http://127.0.0.1:4022"],
    ["0.0.0.0", "http://127.0.0.1:4022"],
    ["::", "http://[::1]:4022"],
    ["fd00::7", "http://[fd00::7]:4022"],
    ["ops.example.org", "http://ops.example.org:4022"]
  ])("%s is asked at %s", (opsHost, url) => {
    assert.strictEqual(opsUrl({ opsHost, opsPort: 4022 }), url)
  })
})

describe("who decides", () => {
  it.live("is told with every request: the user of the shell", () =>
    Effect.gen(function* () {
      const { seen, place } = yield* serverSaying(problem(409, "Refused"))
      yield* Effect.flip(makeAsk(place)(cancel, DECIDE))
      assert.deepStrictEqual(
        seen.map(({ headers }) => headers["x-operator"]),
        [operatorName(userInfo().username)]
      )
    })
  )

  it("is the same user, and this machine, straight on the database", () => {
    assert.strictEqual(directActor(), actorWords(userInfo().username, `--direct on ${hostname()}`))
  })
})

describe("the executor's answer", () => {
  it.live.each([
    [404, "Not Found", "There is no task abc.", "Refused"],
    [409, "Refused", "Task abc has ended already.", "Refused"],
    [429, "Too Many Requests", "More than 30 requests in 1 second: wait a moment.", "Busy"],
    [503, "Service Unavailable", "the database does not answer", "Unavailable"]
  ] as const)("%i is told in its own words", ([status, title, detail, reason]) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* failure(problem(status, title, { detail })), { reason, message: detail })
    })
  )

  it.live("names everything that is wrong with a request", () =>
    Effect.gen(function* () {
      const errors = [{ path: ["payload", "why"], message: "expected a reason, in words" }]
      assert.deepStrictEqual(
        yield* failure(problem(400, "Bad Request", { detail: "Request validation failed", errors })),
        {
          reason: "BadRequest",
          message: "This cannot be asked:\n  - payload.why: expected a reason, in words"
        }
      )
    })
  )

  it.live("is not waited for where the contract does not allow the question: it is not even sent", () =>
    Effect.gen(function* () {
      const { place, seen } = yield* serverSaying(problem(503, "Service Unavailable"))
      const ask = makeAsk(place)(
        ({ tasks }) => tasks.cancel({ params: { task: "abc" }, payload: { why: "x".repeat(501) } }),
        DECIDE
      )
      const bad = yield* Effect.flip(ask)
      assert.instanceOf(bad, Unanswered)
      assert.strictEqual(bad.reason, "BadRequest")
      assert.match(bad.message, /^This cannot be asked:\n  - why: Expected .*500/)
      assert.lengthOf(seen, 0)
    })
  )

  it.live("says which setting lets nobody in", () =>
    Effect.gen(function* () {
      const wrong = problem(401, "Unauthorized", { detail: "Send the token" })
      assert.match((yield* failure(wrong)).message, /asks for a token: set OPS_TOKEN here/)
      assert.match((yield* failure(wrong, "t".repeat(32))).message, /does not take this token: OPS_TOKEN here is not/)
      const closed = problem(403, "Forbidden", { detail: "Page, API and commands are off: set OPS_TOKEN." })
      assert.match((yield* failure(closed)).message, /refuses this\. Page, API and commands are off: set OPS_TOKEN/)
    })
  )

  it.live("tells an executor from another program, and from one of another version", () =>
    Effect.gen(function* () {
      const page = yield* failure({ status: 418, body: "<html>", type: "text/html" })
      assert.deepStrictEqual(page, {
        reason: "Broken",
        message: "http://127.0.0.1:PORT answers with HTTP status 418: is OPS_PORT the executor's?"
      })
      for (const body of ["<html>", { command: "cancelled" }]) {
        const unknown = yield* failure({ status: 200, body, type: "application/json" })
        assert.match(unknown.message, /answers in a way unknown here: another version/)
      }
      assert.match((yield* failure(problem(500, "Internal Server Error"))).message, /its log says why/)
    })
  )

  it.live("that breaks off may have been a decision all the same", () =>
    Effect.gen(function* () {
      const { reason, message } = yield* failure("hangs up")
      assert.strictEqual(reason, "Away")
      assert.match(message, /broke off \(\w+\): what was asked may be done/)
    })
  )

  it.live("is decoded into the types that commands without an executor report", () =>
    Effect.gen(function* () {
      const body = { command: "cancel", taskId: "abc", message: "Cancelled: so", credit: "2500000" }
      const { place, seen } = yield* serverSaying({ status: 200, body, type: "application/json" })
      const opsToken = Redacted.make("a-secret")
      const report = yield* makeAsk({ ...place, opsToken })(cancel, DECIDE)
      assert.deepStrictEqual(report, { ...body, command: "cancel", credit: usdc(2_500_000n) })
      const [request] = seen
      assert.deepInclude(request, { method: "POST", url: "/api/tasks/abc/cancel" })
      assert.strictEqual(request?.headers.authorization, "Bearer a-secret")
    })
  )
})

describe("no answer", () => {
  it.live("from anybody says what to do, and that some commands need no executor", () =>
    Effect.gen(function* () {
      const place = { opsHost: "127.0.0.1", opsPort: yield* closedPort, opsToken: undefined }
      const failed = yield* Effect.flip(makeAsk(place)(cancel, DECIDE))
      assert.strictEqual(
        failed.message,
        [
          `No executor answers at http://127.0.0.1:${place.opsPort} (ECONNREFUSED).`,
          "   Start it (npm start, or pm2 start ecosystem.config.cjs), or set OPS_HOST and OPS_PORT to where it listens.",
          "   Without an executor: the same with --direct, straight on database and chain."
        ].join("\n")
      )
      const look = yield* Effect.flip(makeAsk(place)(({ control }) => control.overview(), LOOK))
      assert.notInclude(look.message, "--direct")
    })
  )

  it.effect("in time is said after as long as each kind of question may take", () =>
    Effect.gen(function* () {
      const { place } = yield* serverSaying("silence")
      const after = Effect.fnUntraced(function* (terms: typeof LOOK) {
        const fiber = yield* Effect.forkChild(Effect.flip(makeAsk(place)(cancel, terms)))
        yield* Effect.yieldNow
        yield* TestClock.adjust(terms.within)
        return (yield* Fiber.join(fiber)).message
      })
      assert.match(yield* after(LOOK), /in 15s\. It is busy, or stuck/)
      assert.match(yield* after(CHANGE), /in 2m\. It may still be done: look before you repeat it/)
    })
  )
})
