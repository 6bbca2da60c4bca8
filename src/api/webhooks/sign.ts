import { createHmac } from "node:crypto"
import { Redacted } from "effect"
import { SECRET_PREFIX } from "../../domain/webhooks.ts"

/** What is signed of a message. Source: Standard Webhooks, "Signature scheme". */
export interface Signed {
  /** `webhook-id`: the same for all attempts. */
  readonly id: string
  /** Of the attempt, in seconds since 1970. */
  readonly timestamp: number
  readonly body: string
}

/** The headers of a message. Each secret gives a signature, and a receiver needs only one that fits. */
export const signedHeaders = (
  { id, timestamp, body }: Signed,
  secrets: ReadonlyArray<Redacted.Redacted>
): Readonly<Record<string, string>> => ({
  "webhook-id": id,
  "webhook-timestamp": String(timestamp),
  "webhook-signature": secrets.map((secret) => `v1,${signature(`${id}.${timestamp}.${body}`, secret)}`).join(" ")
})

const signature = (content: string, secret: Redacted.Redacted): string =>
  createHmac("sha256", Buffer.from(Redacted.value(secret).slice(SECRET_PREFIX.length), "base64"))
    .update(content)
    .digest("base64")
