import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

/** An endpoint in a process of its own: how long after it happened each event came. `silent`: it takes everything and never answers. */
const isSilent = process.argv[2] === "silent"
const lateMs: Array<number> = []
let open = 0
let openMost = 0

const server = createServer((request, response) => {
  openMost = Math.max(openMost, ++open)
  response.on("close", () => open--)
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("end", () => {
    if (isSilent) return
    const { timestamp } = JSON.parse(Buffer.concat(chunks).toString()) as { readonly timestamp: string }
    // oxlint-disable-next-line no-restricted-globals, no-restricted-properties
    lateMs.push(Date.now() - Date.parse(timestamp))
    response.end()
  })
})

process.on("message", () => process.send?.({ lateMs, openMost }))
server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as AddressInfo).port }))
