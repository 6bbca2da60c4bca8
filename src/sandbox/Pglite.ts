import { PGlite } from "@electric-sql/pglite"
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Redacted } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient } from "effect/sql"
import { Duplex } from "node:stream"

/** First words of PostgreSQL's start-up packets (protocol documentation, "Message Formats"). */
const SSL_REQUEST = 80_877_103
const CANCEL_REQUEST = 80_877_102
const TERMINATE = "X".charCodeAt(0)

/**
 * A connection to the one session of an in-process PGlite, as a byte stream that speaks PostgreSQL's wire protocol:
 * sql-pg works over it with the same codecs as over a socket, and transactions of several fibers wait their turn.
 */
class PgliteConnection extends Duplex {
  readonly #database: PGlite
  #isStarted = false

  constructor(database: PGlite) {
    super({ allowHalfOpen: false })
    this.#database = database
    queueMicrotask(() => {
      this.emit("connect")
      this.emit("ready")
    })
  }

  override _read(): void {
    // Answers are pushed as they come.
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (this.#isStarted) return chunk[0] === TERMINATE ? this.#hangUp(done) : this.#forward(chunk, done)
    const code = chunk.length >= 8 ? chunk.readInt32BE(4) : 0
    if (code === SSL_REQUEST) {
      this.push("N")
      return done()
    }
    // There is nothing to cancel: PGlite runs one statement at a time, on this thread.
    if (code === CANCEL_REQUEST) return this.#hangUp(done)
    this.#isStarted = true
    this.#forgetLastSession().then(() => this.#forward(chunk, done), done)
  }

  override _final(done: () => void): void {
    this.push(null)
    done()
  }

  /** The session outlives its connections: what the last one left open must not reach the next. */
  async #forgetLastSession(): Promise<void> {
    await this.#database.exec("ROLLBACK")
    await this.#database.exec("DISCARD ALL")
  }

  #forward(chunk: Buffer, done: (error?: Error | null) => void): void {
    const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    this.#database.execProtocolRaw(bytes).then((answer) => {
      if (answer.length > 0) this.push(Buffer.from(answer))
      done()
    }, done)
  }

  /** The embedded server itself goes on: only this connection ends. */
  #hangUp(done: () => void): void {
    this.push(null)
    done()
  }
}

export interface PgliteOptions {
  /** Where it is kept. Without it the database is in memory and ends with the scope. */
  readonly dataDir?: string
  /** A database to begin with (`PGlite.dumpDataDir`): to unpack one takes a sixth of the time that a new one takes. */
  readonly loadDataDir?: Blob
}

const make = Effect.fnUntraced(function* (options: PgliteOptions) {
  const database = yield* Effect.acquireRelease(
    Effect.promise(() => PGlite.create({ ...options })),
    (opened) => Effect.promise(() => opened.close())
  )
  return yield* PgClient.make({
    stream: () => new PgliteConnection(database),
    username: "postgres",
    password: Redacted.make("postgres"),
    database: "postgres",
    ssl: false,
    minConnections: 1,
    maxConnections: 1
  })
})

/** PostgreSQL inside this process: under `dataDir` where given, else in memory. One connection, no server, no port. */
export const layer = (options: PgliteOptions = {}) =>
  Layer.effectContext(
    Effect.map(make(options), (client) =>
      Context.make(PgClient.PgClient, client).pipe(Context.add(SqlClient.SqlClient, client))
    )
  ).pipe(Layer.provide(Reactivity.layer))
