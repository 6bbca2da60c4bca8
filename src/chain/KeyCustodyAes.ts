import { createCipheriv, createDecipheriv, hash, randomBytes } from "node:crypto"
import { Effect, Layer, Redacted, Result } from "effect"
import type { Hex } from "viem"
import { generatePrivateKey, privateKeyToAccount, signTypedData } from "viem/accounts"
import { Settings } from "../config/Settings.ts"
import { address } from "../domain/Address.ts"
import { KEY_OF_WALLET, type Wallet } from "../domain/Wallet.ts"
import { KeyCustody, KeyError } from "./KeyCustody.ts"
import { authorizationTypes, signingDomain } from "./usdc.ts"

/** `ivHex:authTagHex:cipherHex`: 16 bytes of IV, 16 of tag, and as many of cipher as the plain text has (64 digits). */
const ENCRYPTED = /^([0-9a-f]{32}):([0-9a-f]{32}):([0-9a-f]{128})$/i

const PLAIN = /^[0-9a-f]{64}$/i

/** As many wallets as one executor is meant for. A check takes a third of a millisecond, and its memory 100 bytes. */
const CHECKS_KEPT = 100_000

/** What decides whether a wallet's key can be used. */
type Custody = Pick<Wallet, "agentAddress" | "encryptedPrivateKey">

const make = Effect.gen(function* () {
  const { network, agentEncryptionKey } = yield* Settings
  const domain = signingDomain(network)

  // Only that a key opened is remembered, or why it did not: never the key. A row that changes is another entry.
  const checked = remembering(CHECKS_KEPT, digestOf, (custody: Custody) =>
    Result.flatMap(openKey(custody, agentEncryptionKey), (key) => checkKey(custody, key))
  )

  const check: KeyCustody["Service"]["check"] = (wallet) => Effect.suspend(() => Effect.fromResult(checked(wallet)))

  const sign: KeyCustody["Service"]["sign"] = Effect.fn("KeyCustody.sign")(function* (wallet, authorization) {
    const { from, to, value, validAfter, validBefore, nonce } = authorization
    // That the key belongs to the wallet is remembered: to derive its address takes as long as to sign.
    yield* check(wallet)
    const privateKey = yield* Effect.fromResult(openKey(wallet, agentEncryptionKey))
    if (from !== wallet.agentAddress) return yield* keyError(wallet, "Unsignable", `cannot sign a payment from ${from}`)
    return yield* Effect.tryPromise({
      try: () =>
        signTypedData({
          privateKey,
          domain,
          types: authorizationTypes,
          primaryType: "TransferWithAuthorization",
          message: { from, to, value, validAfter: BigInt(validAfter), validBefore: BigInt(validBefore), nonce }
        }),
      // viem's own words may hold what it was given, and so are not passed on.
      catch: () => {
        const words = "cannot sign this payment: an amount, a time or the nonce is not what USDC takes"
        return keyError(wallet, "Unsignable", words)
      }
    })
  })

  const makeAccount: KeyCustody["Service"]["make"] = Effect.suspend(() => {
    if (agentEncryptionKey === undefined) {
      const message = "No agent wallet can be made: set AGENT_ENCRYPTION_KEY, which its key is sealed with"
      return Effect.fail(new KeyError({ reason: "Locked", message }))
    }
    // viem draws it from the secure random of the system.
    const key = generatePrivateKey()
    return Effect.succeed({
      agentAddress: address(privateKeyToAccount(key).address),
      encryptedPrivateKey: Redacted.make(encrypt(key.slice(2), Redacted.value(agentEncryptionKey)))
    })
  })

  return KeyCustody.of({ check, sign, make: makeAccount })
})

/**
 * Keys of agent wallets as v1.1 stores them, AES-256-GCM under `AGENT_ENCRYPTION_KEY`. A key is in the clear only inside
 * one call.
 */
export const layer: Layer.Layer<KeyCustody, never, Settings> = Layer.effect(KeyCustody, make)

/**
 * Computes `answer` once for questions with the same digest. An answer is kept at least until `kept` others were given
 * since it was last asked for, and at most until twice as many were.
 */
export const remembering = <Q, A extends object>(
  kept: number,
  digest: (question: Q) => string,
  answer: (question: Q) => A
): ((question: Q) => A) => {
  let [recent, earlier] = [new Map<string, A>(), new Map<string, A>()]
  return (question) => {
    const key = digest(question)
    const known = recent.get(key)
    if (known !== undefined) return known
    const given = earlier.get(key) ?? answer(question)
    if (recent.size >= kept) [recent, earlier] = [new Map(), recent]
    recent.set(key, given)
    return given
  }
}

/** Of fixed and small size, and another one where anything is different: 32 bytes, each a character. */
const digestOf = ({ agentAddress, encryptedPrivateKey }: Custody): string =>
  hash("sha256", `${agentAddress} ${Redacted.value(encryptedPrivateKey)}`, "binary")

/** The key in the clear. */
const openKey = (custody: Custody, encryptionKey: Redacted.Redacted | undefined) =>
  Result.gen(function* () {
    const secret = yield* Result.fromNullishOr(encryptionKey, () =>
      keyError(custody, "Locked", "cannot be opened: set AGENT_ENCRYPTION_KEY")
    )
    const parts = ENCRYPTED.exec(Redacted.value(custody.encryptedPrivateKey))
    if (parts === null) {
      const words = "is not of the form ivHex:authTagHex:cipherHex: restore its encrypted_private_key"
      return yield* Result.fail(keyError(custody, "Broken", words))
    }
    const plain = yield* Result.try({
      try: () => decrypt(parts, Redacted.value(secret)),
      catch: () =>
        keyError(
          custody,
          "Locked",
          "does not decrypt with AGENT_ENCRYPTION_KEY: set the one that it was encrypted with, or restore its " +
            "encrypted_private_key if that was altered"
        )
    })
    if (!PLAIN.test(plain)) {
      return yield* Result.fail(keyError(custody, "Broken", "decrypts to something that is no private key"))
    }
    return `0x${plain}` as const
  })

/** Whether a key that opened is the wallet's. */
const checkKey = (custody: Custody, key: Hex) =>
  Result.gen(function* () {
    const account = yield* Result.try({
      try: () => privateKeyToAccount(key),
      catch: () => keyError(custody, "Broken", "decrypts to a number that is no private key")
    })
    if (address(account.address) !== custody.agentAddress) {
      const words = `belongs to another address, ${address(account.address)}: correct agent_address or the key of that row`
      return yield* Result.fail(keyError(custody, "Broken", words))
    }
  })

const encrypt = (plain: string, secret: string): string => {
  const iv = randomBytes(16)
  const cipher = createCipheriv("aes-256-gcm", Buffer.from(secret, "hex"), iv, { authTagLength: 16 })
  const sealed = Buffer.concat([cipher.update(plain, "latin1"), cipher.final()])
  return [iv, cipher.getAuthTag(), sealed].map((part) => part.toString("hex")).join(":")
}

/** Throws where the tag does not fit: another key, or a text that was altered. */
const decrypt = ([, iv = "", tag = "", cipher = ""]: RegExpExecArray, secret: string): string => {
  const key = Buffer.from(secret, "hex")
  const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(iv, "hex"), { authTagLength: 16 })
  decipher.setAuthTag(Buffer.from(tag, "hex"))
  return Buffer.concat([decipher.update(Buffer.from(cipher, "hex")), decipher.final()]).toString("latin1")
}

const keyError = (
  { agentAddress }: Pick<Wallet, "agentAddress">,
  reason: KeyError["reason"],
  words: string
): KeyError => new KeyError({ reason, message: `${KEY_OF_WALLET} ${agentAddress} ${words}` })
