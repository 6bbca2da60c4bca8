import { Effect } from "effect"
import { overridden } from "../config/dotEnv.ts"
import * as Log from "./Log.ts"

/** Names the keys, and no value. pm2 goes on with the environment of its first start, whatever `.env` says by now. */
export const warnOfOverridden = Effect.flatMap(overridden, (keys) =>
  keys.length === 0
    ? Effect.void
    : Log.warn(
        `⚠️ The environment says something else than .env, and counts: ${keys.join(", ")}. If .env is right: pm2 delete ` +
          "ai-mint-executor, then pm2 start ecosystem.config.cjs from a shell that does not set them"
      )
)
