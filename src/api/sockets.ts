import type { Server, ServerResponse } from "node:http"
import type { Socket } from "node:net"

/** Sockets with a request that is being answered: pages and listeners, and what a scraper and a proxy keep asking. */
const BUSY_MAX = 2_000

/**
 * Sockets of one address that have no request under way: new ones, half-open ones, and those that are kept for the next
 * request. More than any proxy keeps.
 */
const IDLE_MAX = 200

/**
 * Keeps places for those who come. A socket that asks nothing has its place for as long as no newer one of its address
 * wants it: thousands of half-sent requests keep no client out, not even on the same machine.
 */
export const keepPlaces = (server: Server): void => {
  const idle = new Map<string, Set<Socket>>()
  let busy = 0
  const rest = (address: string, socket: Socket): void => {
    const resting = idle.get(address) ?? new Set()
    idle.set(address, resting.add(socket))
    const [oldest] = resting
    if (resting.size > IDLE_MAX) oldest?.destroy()
  }
  const leave = (address: string, socket: Socket): void => {
    const resting = idle.get(address)
    resting?.delete(socket)
    if (resting?.size === 0) idle.delete(address)
  }
  server.on("connection", (socket: Socket) => {
    const address = socket.remoteAddress ?? ""
    socket.once("close", () => leave(address, socket))
    rest(address, socket)
  })
  server.prependListener("request", ({ socket }: { readonly socket: Socket }, response: ServerResponse) => {
    const address = socket.remoteAddress ?? ""
    leave(address, socket)
    if (++busy > BUSY_MAX) socket.destroy()
    response.once("close", () => {
      busy--
      if (!socket.destroyed) rest(address, socket)
    })
  })
}
