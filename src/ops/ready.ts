import { Effect } from "effect"

/** Tells pm2 (`wait_ready`) that the start is over. Where nobody listens, nothing happens. */
export const notifyReady = Effect.sync(() => {
  process.send?.("ready")
})
