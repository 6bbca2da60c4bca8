import { Effect, Latch } from "effect"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"

/** Which requests a gate keeps the answer to. */
type Kept = (request: IncomingMessage) => boolean

/** A way to a server on which answers can be kept back: what was asked is done, and nobody hears of it yet. */
export interface Gate {
  readonly url: string
  /** How many requests of the kind that is kept came by. */
  readonly came: () => number
  readonly close: Effect.Effect<void>
  readonly open: Effect.Effect<void>
}

/** A gate in front of the server at `target`, open at first. */
export const gateTo = Effect.fnUntraced(function* (target: string, kept: Kept = () => true) {
  const latch = yield* Latch.make(true)
  let came = 0
  const pass = async (request: IncomingMessage) => {
    const headers = new Headers()
    for (const [name, value] of Object.entries(request.headersDistinct)) headers.set(name, String(value))
    const isRead = request.method === "GET"
    const init = { method: request.method ?? "GET", headers, ...(isRead ? {} : { body: await text(request) }) }
    const answer = await fetch(new URL(request.url ?? "/", target), init)
    const body = await answer.text()
    if (kept(request)) {
      came++
      await Effect.runPromise(latch.await)
    }
    return { answer, body }
  }
  const server = createServer((request, response) => {
    pass(request).then(
      ({ answer, body }) => response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(body),
      () => response.destroy()
    )
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.andThen(
        latch.open,
        Effect.sync(() => (server.close(), server.closeAllConnections()))
      )
  )
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    came: () => came,
    close: Effect.asVoid(latch.close),
    open: Effect.asVoid(latch.open)
  } satisfies Gate as Gate
})
