import { Effect } from "effect"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

const READY = "Z".charCodeAt(0)
const IDLE = "I".charCodeAt(0)
const TERMINATE = "X".charCodeAt(0)

/** Cuts a stream of PostgreSQL's messages (type, length, body) into whole ones. */
const makeCutter = () => {
  let rest: Buffer = Buffer.alloc(0)
  return (chunk: Buffer): ReadonlyArray<Buffer> => {
    rest = Buffer.concat([rest, chunk])
    const messages: Array<Buffer> = []
    while (rest.length >= 5 && rest.length >= 1 + rest.readInt32BE(1)) {
      const end = 1 + rest.readInt32BE(1)
      messages.push(rest.subarray(0, end))
      rest = rest.subarray(end)
    }
    return messages
  }
}

interface Session {
  readonly socket: Socket
  /** What the server said when the session began. */
  readonly greeting: Buffer
  onMessage: (message: Buffer) => void
}

/** A session of the server, begun with the first packet of a client. */
const begin = (target: URL, startup: Buffer) =>
  new Promise<Session>((resolve) => {
    const socket = connect(Number(target.port), target.hostname, () => void socket.write(startup))
    const greeting: Array<Buffer> = []
    const cut = makeCutter()
    const session: Session = { socket, greeting: Buffer.alloc(0), onMessage: () => {} }
    let isReady = false
    socket.on("error", () => {})
    socket.on("data", (chunk: Buffer) => {
      for (const message of cut(chunk)) {
        if (isReady) {
          session.onMessage(message)
          continue
        }
        greeting.push(message)
        isReady = message[0] === READY
        if (isReady) resolve(Object.assign(session, { greeting: Buffer.concat(greeting) }))
      }
    })
  })

/**
 * A pooler in front of the server of `url` that lends a session for one transaction, as pgbouncer does with
 * `pool_mode = transaction`. Only for a server that asks for no password and a client that wants no encryption.
 */
export const transactionPooler = Effect.fnUntraced(function* (url: string) {
  const target = new URL(url)
  const idle: Array<Session> = []
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    sockets.add(client)
    client.on("error", () => {})
    let startup: Buffer | undefined
    let lent: Promise<Session> | undefined
    const cut = makeCutter()
    const lend = async (): Promise<Session> => {
      const session = idle.pop() ?? (await begin(target, startup ?? Buffer.alloc(0)))
      sockets.add(session.socket)
      session.onMessage = (message) => {
        client.write(message)
        if (message[0] !== READY || message[5] !== IDLE) return
        lent = undefined
        idle.push(session)
      }
      return session
    }
    const onMessage = (message: Buffer) => {
      if (message[0] === TERMINATE) return void client.end()
      lent ??= lend()
      void lent.then(({ socket }) => socket.write(message))
    }
    client.on("data", (chunk: Buffer) => {
      if (startup !== undefined) return cut(chunk).forEach(onMessage)
      startup = Buffer.from(chunk)
      void begin(target, startup).then((session) => {
        sockets.add(session.socket)
        idle.push(session)
        client.write(session.greeting)
      })
    })
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.sync(() => {
        for (const socket of sockets) socket.destroy()
        server.close()
      })
  )
  const pooled = new URL(url)
  pooled.port = String((server.address() as AddressInfo).port)
  return pooled.toString()
})
