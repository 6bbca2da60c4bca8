import { Effect, Redacted } from "effect"
import { randomBytes } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const FILE = "encryption-key"

/** For its owner only. */
const PRIVATE = 0o600

/**
 * The sandbox's `AGENT_ENCRYPTION_KEY`: made at the first start and kept, as the keys of agent wallets in a database
 * that is kept are encrypted with it. 32 random bytes as 64 hex digits.
 */
export const encryptionKey = (dataDir: string): Effect.Effect<Redacted.Redacted> =>
  Effect.sync(() => {
    const path = join(dataDir, FILE)
    if (existsSync(path)) return Redacted.make(readFileSync(path, "utf8").trim())
    const key = randomBytes(32).toString("hex")
    writeFileSync(path, `${key}\n`, { mode: PRIVATE, flag: "wx" })
    return Redacted.make(key)
  })
