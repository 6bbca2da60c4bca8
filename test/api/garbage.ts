import { Effect } from "effect"
import { connect, type Socket } from "node:net"
import type { Reply } from "./requests.ts"
import { TOKEN } from "./served.ts"

export const CRLF = "\r\n"

export const head = (first: string, ...fields: ReadonlyArray<string>) =>
  [first, "Host: x", ...fields, "", ""].join(CRLF)

const CLOSE = "Connection: close"
export const BEARER = `Authorization: Bearer ${TOKEN}`
const HIDDEN = `GET /api/tasks HTTP/1.1${CRLF}Host: x${CRLF}${CRLF}`

interface Garbage {
  readonly name: string
  readonly bytes: string | Buffer
  /** Nothing more comes after it, and so it is no request. */
  readonly ends?: boolean
  /** The statuses that come back, in their order; empty where the socket is closed without a word. */
  readonly statuses: ReadonlyArray<number>
}

/** What no client sends. The statuses are what RFC 9110 and 9112 ask for, where they ask for one. */
export const GARBAGE: ReadonlyArray<Garbage> = [
  { name: "bytes", bytes: Buffer.from(Array.from({ length: 4_096 }, (_, n) => (n * 151) % 256)), statuses: [400] },
  { name: "TLS", bytes: Buffer.from("16030100a5010000a10303", "hex"), statuses: [400] },
  { name: "HTTP/2", bytes: `PRI * HTTP/2.0${CRLF}${CRLF}SM${CRLF}${CRLF}`, statuses: [400] },
  { name: "HTTP/0.9", bytes: `GET /api/tasks${CRLF}${CRLF}`, statuses: [401] },
  { name: "HTTP/9.9", bytes: head("GET /healthz HTTP/9.9"), statuses: [400] },
  { name: "half a line", bytes: "GET /heal", ends: true, statuses: [400] },
  { name: "half a head", bytes: `GET /healthz HTTP/1.1${CRLF}Host: x${CRLF}`, ends: true, statuses: [400] },
  // The answer does not wait for the body, and what is wrong with it is found behind the answer.
  {
    name: "half a body",
    bytes: `${head("POST /api/tasks HTTP/1.1", "Content-Length: 99")}{`,
    ends: true,
    statuses: [401, 400]
  },
  {
    name: "chunks of no length",
    bytes: `${head("POST /x HTTP/1.1", "Transfer-Encoding: chunked")}zz${CRLF}`,
    statuses: [404, 400]
  },
  {
    name: "chunks by another name",
    bytes: `${head("POST /x HTTP/1.1", "Transfer-Encoding: xchunked")}0${CRLF}${CRLF}${HIDDEN}`,
    statuses: [404, 400]
  },
  { name: "no host", bytes: `GET /healthz HTTP/1.1${CRLF}${CLOSE}${CRLF}${CRLF}`, statuses: [400] },
  { name: "no host, HTTP/1.0", bytes: `GET /healthz HTTP/1.0${CRLF}${CRLF}`, statuses: [200] },
  { name: "a method of nobody", bytes: head("FROB / HTTP/1.1"), statuses: [400] },
  { name: "a method without an end", bytes: `${"A".repeat(70_000)} / HTTP/1.1${CRLF}${CRLF}`, statuses: [400] },
  { name: "TRACE", bytes: head("TRACE / HTTP/1.1", CLOSE), statuses: [404] },
  { name: "OPTIONS *", bytes: head("OPTIONS * HTTP/1.1", CLOSE), statuses: [404] },
  { name: "CONNECT", bytes: head("CONNECT 10.0.0.1:22 HTTP/1.1"), statuses: [] },
  { name: "a proxy's path", bytes: head("GET http://evil.example/api/tasks HTTP/1.1", CLOSE), statuses: [401] },
  { name: "a path that is a host", bytes: head("GET //evil.example/api/tasks HTTP/1.1", CLOSE), statuses: [400] },
  { name: "a long path", bytes: head(`GET /${"a".repeat(10_000)} HTTP/1.1`, CLOSE), statuses: [404] },
  { name: "a path too long", bytes: head(`GET /${"a".repeat(100_000)} HTTP/1.1`, CLOSE), statuses: [431] },
  { name: "a path of no text", bytes: Buffer.from(head("GET /\xff\xfe HTTP/1.1"), "latin1"), statuses: [400] },
  { name: "a path that becomes no text", bytes: head("GET /%ff%fe%00 HTTP/1.1", CLOSE), statuses: [400] },
  { name: "one header too large", bytes: head("GET /healthz HTTP/1.1", `X: ${"y".repeat(70_000)}`), statuses: [431] },
  {
    name: "headers without an end",
    bytes: head("GET /healthz HTTP/1.1", ...Array.from({ length: 20_000 }, (_, n) => `X-${n}: y`)),
    statuses: [431]
  },
  { name: "a header with NUL", bytes: head("GET /healthz HTTP/1.1", "X: a\0b"), statuses: [400] },
  { name: "a folded header", bytes: head("GET /healthz HTTP/1.1", "X: a", " b"), statuses: [400] },
  {
    name: "an upgrade",
    bytes: head("GET /api/events HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade"),
    statuses: [401]
  },
  { name: "an expectation", bytes: head("GET /healthz HTTP/1.1", "Expect: the worst", CLOSE), statuses: [417] },
  {
    name: "two lengths",
    bytes: `${head("POST /healthz HTTP/1.1", "Content-Length: 0", `Content-Length: ${HIDDEN.length}`)}${HIDDEN}`,
    statuses: [400]
  },
  {
    name: "a length and chunks",
    bytes: `${head("POST /healthz HTTP/1.1", "Content-Length: 4", "Transfer-Encoding: chunked")}0${CRLF}${CRLF}${HIDDEN}`,
    statuses: [400]
  },
  { name: "a length below nothing", bytes: head("POST /healthz HTTP/1.1", "Content-Length: -1"), statuses: [400] },
  {
    name: "many requests at once",
    bytes: `${head("GET /healthz HTTP/1.1").repeat(50)}${head("GET /api/tasks HTTP/1.1", CLOSE)}`,
    statuses: [...Array<number>(50).fill(200), 401]
  },
  {
    name: "10 MB",
    bytes: `${head("POST /api/tasks HTTP/1.1", CLOSE, "Content-Length: 10000000")}${"x".repeat(10_000_000)}`,
    statuses: [401]
  },
  {
    name: "10 MB of JSON, with the token",
    bytes: `${head("POST /api/pause HTTP/1.1", CLOSE, BEARER, "Content-Type: application/json", "Content-Length: 10000000")}"${"x".repeat(9_999_998)}"`,
    statuses: [413]
  }
]

/** All that comes back until the server closes the socket. */
export const exchange = (url: string, { bytes, ends = false }: Pick<Garbage, "bytes" | "ends">) =>
  Effect.promise(
    () =>
      new Promise<string>((resolve) => {
        const chunks: Array<Buffer> = []
        const socket = connect(Number(new URL(url).port), "127.0.0.1")
        socket.on("data", (chunk) => void chunks.push(chunk))
        // A server that has answered need not read on: what is still being sent then fails.
        socket.on("error", () => {})
        socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")))
        if (ends) socket.end(bytes)
        else socket.write(bytes)
      })
  )

/** The answers in what came back, one behind the other. */
export const repliesIn = (text: string): ReadonlyArray<Reply> => {
  const end = text.indexOf(`${CRLF}${CRLF}`)
  if (end < 0) return []
  const [first = "", ...fields] = text.slice(0, end).split(CRLF)
  const field = (name: string) =>
    fields.find((one) => one.toLowerCase().startsWith(`${name}: `))?.slice(name.length + 2)
  const length = Number(field("content-length") ?? 0)
  const body = text.slice(end + 4, end + 4 + length)
  const reply = { status: Number(first.split(" ")[1]), type: field("content-type") ?? "", text: body }
  return [reply, ...repliesIn(text.slice(end + 4 + length))]
}

/** Open sockets on which something was sent and nothing more comes, until the test ends. */
export const stalled = (url: string, bytes: string, count: number) =>
  Effect.forEach(
    Array.from({ length: count }),
    () =>
      Effect.acquireRelease(
        Effect.callback<Socket>((resume) => {
          const socket = connect(Number(new URL(url).port), "127.0.0.1")
          socket.on("error", () => {})
          socket.write(bytes, () => resume(Effect.succeed(socket)))
        }),
        (socket) => Effect.sync(() => socket.destroy())
      ),
    { concurrency: "unbounded" }
  )
