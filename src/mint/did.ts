import type { Did } from "./Minter.ts"
import { type Reply, weigh } from "./reply.ts"

/**
 * What a server that answers so to a request without payment may have done. Only a 402 says that it did nothing before
 * it is paid. A page in HTML is not the server's own: it says nothing about the work.
 */
export const didOf = (reply: Reply): Did => {
  if (reply.status === 402) return "nothing"
  const isPage = /^\s*</.test(reply.body ?? "<")
  return weigh(reply.status) === "Done" && !isPage ? "claims" : "unknown"
}
