import { Effect } from "effect"
import { createServer } from "node:net"

/** A port of loopback that nobody listens on: the preferred one, or, where that is taken, any. */
export const freePort = (preferred: number): Effect.Effect<number> =>
  listenOnce(preferred).pipe(Effect.catch(() => Effect.orDie(listenOnce(ANY))))

/** The system chooses. */
const ANY = 0

const listenOnce = (port: number): Effect.Effect<number, Error> =>
  Effect.callback<number, Error>((resume) => {
    const probe = createServer()
    probe.once("error", (error) => resume(Effect.fail(error)))
    probe.listen(port, "127.0.0.1", () => {
      const address = probe.address()
      const listening = typeof address === "object" && address !== null ? address.port : port
      probe.close(() => resume(Effect.succeed(listening)))
    })
  })
