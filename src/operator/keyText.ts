import { createHash, timingSafeEqual } from "node:crypto"
import { KeyId } from "../domain/Key.ts"

/** What a key begins with: scanners for leaked secrets find it by that. */
const PREFIX = "aimint_"

/** 32 bytes of a secure random, in base64url. */
export const SECRET_BYTES = 32

const FORM = /^aimint_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/

export interface KeyText {
  readonly id: KeyId
  readonly secret: string
}

/** A key as its holder has it: `aimint_`, its id, and its secret. */
export const keyText = ({ id, secret }: KeyText): string => `${PREFIX}${id.replaceAll("-", "")}_${secret}`

/** `undefined` where the text is not of the form of a key. */
export const readKeyText = (text: string): KeyText | undefined => {
  const [, ...parts] = FORM.exec(text) ?? []
  const secret = parts.pop()
  return secret === undefined ? undefined : { id: KeyId.make(parts.join("-")), secret }
}

export const newSecret = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url")

/** What is kept of a secret. */
export const digestOf = (secret: string): string => createHash("sha256").update(secret).digest("hex")

/** Whether a secret is the one of this digest, in the same time for all. */
export const isSecretOf = (digest: string, secret: string): boolean =>
  digest.length === 64 && timingSafeEqual(Buffer.from(digest), Buffer.from(digestOf(secret)))
