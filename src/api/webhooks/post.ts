import { Agent as HttpAgent, type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http"
import { Agent as HttpsAgent, request as httpsRequest } from "node:https"
import { isIP, type LookupFunction } from "node:net"
import { Clock, DateTime, Duration, Effect, Option, Schema } from "effect"
import type { Target } from "../../ops/webhookTarget.ts"

/** There was no answer. The words are ours: an error of Node's may hold what the other end wrote. */
export class NoAnswer extends Schema.TaggedError<NoAnswer>()("NoAnswer", { message: Schema.String }) {}

export interface Answer {
  readonly status: number
  /** What `Retry-After` asks for. */
  readonly retryAfterMs: number | undefined
}

/** From the first byte to the last. */
const EXCHANGE = Duration.seconds(20)

/** More of an answer is not read: then the connection is closed. */
const ANSWER_MAX = 16_384

/** A connection that nothing was sent over for so long is closed. */
const IDLE_MS = 30_000

/** Requests to one address at once. */
export const AT_ONCE_MAX = 32

const POOL = { keepAlive: true, timeout: IDLE_MS, maxSockets: AT_ONCE_MAX, maxFreeSockets: AT_ONCE_MAX } as const

/** Connections to an address are used again for that address and the same host only. */
const named = <A extends HttpAgent>(agent: A): A => {
  const nameOf = agent.getName.bind(agent)
  agent.getName = (options = {}) => `${nameOf(options)}:${"pinned" in options ? String(options.pinned) : ""}`
  return agent
}

/** Posts messages over connections that it keeps until the scope closes. No redirect is followed: it is a failure. */
export const makePost = Effect.gen(function* () {
  const agents = yield* Effect.acquireRelease(
    Effect.sync(() => ({ http: named(new HttpAgent(POOL)), https: named(new HttpsAgent(POOL)) })),
    ({ http, https }) => Effect.sync(() => [http, https].forEach((agent) => agent.destroy()))
  )
  return Effect.fnUntraced(function* (target: Target, headers: Readonly<Record<string, string>>, body: string) {
    const beganMs = yield* Clock.currentTimeMillis
    const response = yield* headOf(target, agents, { headers, body }).pipe(
      Effect.timeoutOrElse({
        duration: EXCHANGE,
        orElse: () => new NoAnswer({ message: `no answer within ${Duration.format(EXCHANGE)}` })
      })
    )
    const nowMs = yield* Clock.currentTimeMillis
    // The status decides. The rest is read so that the connection can be used again.
    yield* Effect.timeoutOption(rest(response), Math.max(0, Duration.toMillis(EXCHANGE) - (nowMs - beganMs)))
    return {
      status: response.statusCode ?? 0,
      retryAfterMs: retryAfterMs(response.headers["retry-after"], nowMs)
    } satisfies Answer as Answer
  })
})

interface Agents {
  readonly http: HttpAgent
  readonly https: HttpsAgent
}

interface Message {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Sends the message and waits for the head of the answer. */
const headOf = ({ url, address }: Target, agents: Agents, { headers, body }: Message) =>
  Effect.callback<IncomingMessage, NoAnswer>((resume) => {
    const options = {
      method: "POST",
      headers: { ...headers, "content-type": "application/json", "content-length": Buffer.byteLength(body) },
      lookup: pinnedTo(address),
      pinned: address
    }
    const request: ClientRequest =
      url.protocol === "https:"
        ? httpsRequest(url, { ...options, agent: agents.https })
        : httpRequest(url, { ...options, agent: agents.http })
    request.on("response", (response) => resume(Effect.succeed(response)))
    request.on("error", (error) => resume(Effect.fail(new NoAnswer({ message: `no answer (${codeOf(error)})` }))))
    request.end(body)
    return Effect.sync(() => request.destroy())
  })

/** Nothing is looked up again: the address has been checked. */
const pinnedTo =
  (address: string): LookupFunction =>
  (_host, { all }, done) => {
    const family = isIP(address)
    if (all === true) done(null, [{ address, family }])
    else done(null, address, family)
  }

/** Reads what is left of an answer, and drops it. */
const rest = (response: IncomingMessage) =>
  Effect.callback<void>((resume) => {
    let size = 0
    response.on("data", (chunk: Buffer) => {
      size += chunk.length
      if (size > ANSWER_MAX) response.destroy()
    })
    // One that is broken off ends in an error first.
    response.on("error", () => undefined)
    response.on("close", () => resume(Effect.void))
    return Effect.sync(() => response.destroy())
  })

const codeOf = (error: Error): string => ("code" in error && typeof error.code === "string" ? error.code : "broken off")

/** Seconds, or a date. Source: RFC 9110, 10.2.3. */
const retryAfterMs = (value: string | undefined, nowMs: number): number | undefined => {
  if (value === undefined) return undefined
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1_000
  return Option.match(DateTime.make(value), {
    onNone: () => undefined,
    onSome: (at) => Math.max(0, DateTime.toEpochMillis(at) - nowMs)
  })
}
