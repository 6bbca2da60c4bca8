import { Effect } from "effect"
import { createRequire } from "node:module"
import { overridden } from "../config/dotEnv.ts"
import { hostname } from "node:os"
import * as Log from "./Log.ts"

/** The version in `package.json`, which lies two folders above this file, and above `dist/chunks/` too. */
export const version: string = createRequire(import.meta.url)("../../package.json").version

/** Tells this process from others, for people: several executors may run on one machine. */
export const processName = `${hostname()}:${process.pid}`

/** Tells pm2 (`wait_ready`) that the start is over. Without pm2 it does nothing. */
export const notifyReady = Effect.sync(() => {
  process.send?.("ready")
})

/** Names the keys, and no value. pm2 goes on with the environment of its first start, even after `.env` has changed. */
export const warnOfOverridden = Effect.flatMap(overridden, (keys) =>
  keys.length === 0
    ? Effect.void
    : Log.warn(
        `⚠️ The environment says something else than .env, and counts: ${keys.join(", ")}. If .env is right: pm2 delete ` +
          "ai-mint-executor, then pm2 start ecosystem.config.cjs from a shell that does not set them"
      )
)
