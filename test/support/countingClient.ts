import { PgClient } from "@effect/sql-pg"
import { connect, type Socket } from "node:net"

const EXECUTE = "E".charCodeAt(0)
const SIMPLE_QUERY = "Q".charCodeAt(0)

/** Counts the statements that pass to the server, in PostgreSQL's wire protocol (type, length, body). */
const countStatements = (socket: Socket, counted: () => void): Socket => {
  let isStarted = false
  const write = socket.write.bind(socket) as (chunk: Uint8Array, ...rest: ReadonlyArray<unknown>) => boolean
  return Object.assign(socket, {
    write: (chunk: Uint8Array, ...rest: ReadonlyArray<unknown>) => {
      // The first packet of a connection has no type.
      if (isStarted) {
        const bytes = Buffer.from(chunk)
        for (let at = 0; at < bytes.length; at += 1 + bytes.readInt32BE(at + 1)) {
          if (bytes[at] === EXECUTE || bytes[at] === SIMPLE_QUERY) counted()
        }
      }
      isStarted = true
      return write(chunk, ...rest)
    }
  })
}

/** A client of this database that calls `counted` for each statement, those that begin and end transactions included. */
export const countingClient = (
  databaseUrl: string,
  counted: () => void,
  options: { readonly minConnections?: number; readonly maxConnections?: number } = {}
) => {
  const url = new URL(databaseUrl)
  return PgClient.layer({
    stream: () => countStatements(connect(Number(url.port), url.hostname), counted),
    username: "postgres",
    database: url.pathname.slice(1),
    ssl: false,
    ...options
  })
}
