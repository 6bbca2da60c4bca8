import { createCipheriv } from "node:crypto"

/** As v1.1 encrypts an agent wallet's key: `ivHex:authTagHex:cipherHex`, AES-256-GCM. */
export const encrypt = (plain: string, encryptionKey: string): string => {
  const iv = Buffer.alloc(16, 7)
  const cipher = createCipheriv("aes-256-gcm", Buffer.from(encryptionKey, "hex"), iv)
  const text = Buffer.concat([cipher.update(plain, "utf8"), cipher.final()])
  return [iv, cipher.getAuthTag(), text].map((part) => part.toString("hex")).join(":")
}
