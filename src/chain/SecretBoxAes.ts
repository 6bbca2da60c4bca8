import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto"
import { Effect, Layer, Redacted } from "effect"
import { Settings } from "../config/Settings.ts"
import { SecretBox, SecretError } from "./SecretBox.ts"

const ALGORITHM = "aes-256-gcm"

/** Bytes of IV and tag. Source: NIST SP 800-38D, 5.2.1.1. */
const IV = 12
const TAG = 16

/**
 * Another key than that of the wallets, made from it: nothing that is sealed here could be taken for a wallet's key. Source:
 * RFC 5869 (HKDF).
 */
const derive = (key: Redacted.Redacted): Buffer =>
  Buffer.from(hkdfSync("sha256", Buffer.from(Redacted.value(key), "hex"), "", "ai-mint-executor/secrets", 32))

const make = Effect.gen(function* () {
  const { agentEncryptionKey } = yield* Settings
  const key = Effect.suspend(() =>
    agentEncryptionKey === undefined
      ? Effect.fail(new SecretError({ message: "Secrets cannot be kept: set AGENT_ENCRYPTION_KEY." }))
      : Effect.succeed(derive(agentEncryptionKey))
  )
  return SecretBox.of({
    seal: (secret, owner) =>
      Effect.map(key, (bytes) => {
        const iv = randomBytes(IV)
        const cipher = createCipheriv(ALGORITHM, bytes, iv, { authTagLength: TAG }).setAAD(Buffer.from(owner))
        const sealed = Buffer.concat([cipher.update(Redacted.value(secret), "utf8"), cipher.final()])
        return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString("base64")
      }),
    open: (sealed, owner) =>
      Effect.flatMap(key, (bytes) =>
        Effect.try({
          try: () => Redacted.make(opened(Buffer.from(sealed, "base64"), bytes, owner)),
          catch: () =>
            new SecretError({
              message: "The secret does not open with AGENT_ENCRYPTION_KEY: it was sealed with another one, or altered."
            })
        })
      )
  })
})

/** Throws where the tag does not fit. */
const opened = (all: Buffer, key: Buffer, owner: string): string => {
  const decipher = createDecipheriv(ALGORITHM, key, all.subarray(0, IV), { authTagLength: TAG })
  decipher.setAAD(Buffer.from(owner)).setAuthTag(all.subarray(IV, IV + TAG))
  return Buffer.concat([decipher.update(all.subarray(IV + TAG)), decipher.final()]).toString("utf8")
}

export const layer: Layer.Layer<SecretBox, never, Settings> = Layer.effect(SecretBox, make)
