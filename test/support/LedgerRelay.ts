import { Effect } from "effect"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

/** A way to the database that can be closed: then connections break, and new ones are refused. */
export interface Relay {
  readonly url: string
  /** Breaks the connections that there are; new ones are taken. */
  readonly breakConnections: Effect.Effect<void>
  readonly close: Effect.Effect<void>
  readonly open: Effect.Effect<void>
  /** Nothing comes through any more, and nobody is told: a cable that is pulled. */
  readonly silence: Effect.Effect<void>
  /** What was held back comes through, as with TCP. */
  readonly resume: Effect.Effect<void>
}

/** A relay on a port of its own in front of the server of `url`. */
export const relayTo = Effect.fnUntraced(function* (url: string) {
  const target = new URL(url)
  const sockets = new Set<Socket>()
  const pairs = new Set<readonly [Socket, Socket]>()
  const state = { isSilent: false }
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname)
    for (const pair of [
      [near, far],
      [far, near]
    ] as const) {
      const [one, other] = pair
      sockets.add(one)
      pairs.add(pair)
      if (!state.isSilent) one.pipe(other)
      one.on("error", () => other.destroy())
      one.on("close", () => {
        sockets.delete(one)
        pairs.delete(pair)
        other.destroy()
      })
    }
  })
  const listen = (port: number) =>
    Effect.callback<void>((resume) => void server.listen(port, "127.0.0.1", () => resume(Effect.void)))
  const breakConnections = Effect.sync(() => {
    for (const socket of sockets) socket.destroy()
  })
  const close = Effect.andThen(
    breakConnections,
    Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  )
  const silence = Effect.sync(() => {
    state.isSilent = true
    for (const [one, other] of pairs) one.unpipe(other).pause()
  })
  const resume = Effect.sync(() => {
    state.isSilent = false
    for (const [one, other] of pairs) one.pipe(other)
  })
  yield* Effect.acquireRelease(listen(0), () => close)
  const { port } = server.address() as AddressInfo
  const relayed = new URL(url)
  relayed.port = String(port)
  return {
    url: relayed.toString(),
    breakConnections,
    close,
    open: listen(port),
    silence,
    resume
  } satisfies Relay
})
