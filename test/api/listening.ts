import { type Cause, Effect, Option, Queue } from "effect"
import { type IncomingMessage, request } from "node:http"
import { TOKEN } from "./served.ts"

/** An event of the ledger as it came over the wire. */
export interface Told {
  readonly id: string
  readonly kind: string
  readonly taskId: string | null
}

export interface Listener {
  readonly status: number
  /** Ends where the server ends the stream or the connection. */
  readonly told: Queue.Queue<Told, Cause.Done>
  /** Reads nothing from here on, and reads on. */
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
  readonly leave: Effect.Effect<void>
}

/** One block of a stream, between two empty lines (HTML, 9.2.6). */
const parse = (block: string): Told | undefined => {
  const field = (name: string) =>
    block
      .split("\n")
      .find((line) => line.startsWith(`${name}: `))
      ?.slice(name.length + 2)
  const [id, data] = [field("id"), field("data")]
  return field("event") === "ledger" && id !== undefined && data !== undefined
    ? { ...(JSON.parse(data) as Pick<Told, "kind" | "taskId">), id }
    : undefined
}

const readInto = (queue: Queue.Queue<Told, Cause.Done>, response: IncomingMessage): void => {
  let rest = ""
  response.setEncoding("utf8")
  response.on("data", (chunk: string) => {
    const blocks = (rest + chunk).split("\n\n")
    rest = blocks.pop() ?? ""
    for (const block of blocks) {
      const told = parse(block)
      if (told !== undefined) Queue.offerUnsafe(queue, told)
    }
  })
  response.on("error", () => Queue.endUnsafe(queue))
  response.on("close", () => Queue.endUnsafe(queue))
}

interface Listening {
  readonly lastEventId?: string
  readonly method?: string
  readonly token?: string
}

/** Listens from when the server has answered until the scope closes. A refusal is an answer like any other. */
export const listen = (url: string, { lastEventId, method = "GET", token = TOKEN }: Listening = {}) =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const told = yield* Queue.unbounded<Told, Cause.Done>()
      const from = lastEventId === undefined ? {} : { "last-event-id": lastEventId }
      return yield* Effect.callback<Listener>((resume) => {
        const headers = { authorization: `Bearer ${token}`, ...from }
        const asked = request(`${url}/api/events`, { method, agent: false, headers }, (response) => {
          readInto(told, response)
          const step = (act: () => unknown) => Effect.sync(() => void act())
          const listener = {
            status: response.statusCode ?? 0,
            told,
            pause: step(() => response.pause()),
            resume: step(() => response.resume()),
            leave: step(() => asked.destroy())
          }
          resume(Effect.succeed(listener))
        })
        asked.on("error", (error) => resume(Effect.die(error)))
        asked.end()
      })
    }),
    (listener) => listener.leave
  )

/** What a listener is told up to what is looked for, or up to an end before it. */
export const toldUntil = Effect.fnUntraced(function* (listener: Listener, isLast: (told: Told) => boolean) {
  const all: Array<Told> = []
  for (let isOver = false; !isOver;) {
    const next = yield* Effect.option(Queue.take(listener.told))
    if (Option.isSome(next)) all.push(next.value)
    isOver = Option.isNone(next) || isLast(next.value)
  }
  return all
})

export const toldToTheEnd = (listener: Listener) => Queue.collect(listener.told)
