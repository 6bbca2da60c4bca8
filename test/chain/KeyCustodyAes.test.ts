import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { recoverTypedDataAddress } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { KeyCustody } from "../../src/chain/KeyCustody.ts"
import { layer, remembering } from "../../src/chain/KeyCustodyAes.ts"
import { authorizationTypes, signingDomain } from "../../src/chain/usdc.ts"
import { base, baseSepolia, type NetworkShape } from "../../src/config/Network.ts"
import { type Address, address } from "../../src/domain/Address.ts"
import type { Authorization } from "../../src/domain/Authorization.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import type { Wallet } from "../../src/domain/Wallet.ts"
import { anyId } from "../support/anyId.ts"
import { settings } from "../support/settings.ts"
import { encrypt as encryptWith } from "./encrypt.ts"
import { account, bytes32 } from "./fakeChain.ts"
import { effects } from "../support/stories.ts"

const ENCRYPTION_KEY = "0f".repeat(32)
const PRIVATE_KEY = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
const AGENT = address(privateKeyToAccount(`0x${PRIVATE_KEY}`).address)

const encrypt = (plain: string, key = ENCRYPTION_KEY): string => encryptWith(plain, key)

const walletOf = (encrypted: string, agentAddress: Address = AGENT): Wallet => ({
  id: anyId("b1f0c2de-0000-4000-8000-000000000001"),
  userAddress: account(1),
  agentAddress,
  encryptedPrivateKey: Redacted.make(encrypted)
})

const authorization: Authorization = {
  from: AGENT,
  to: account(9),
  value: usdc(5_000_000n),
  validAfter: 1_760_000_000,
  validBefore: 1_760_000_300,
  nonce: bytes32(42)
}

const custody = (key = ENCRYPTION_KEY, network: NetworkShape = base) =>
  layer.pipe(Layer.provide(settings({ network, agentEncryptionKey: key === "" ? undefined : Redacted.make(key) })))

const recover = (signature: `0x${string}`, network: NetworkShape) =>
  Effect.promise(() =>
    recoverTypedDataAddress({
      domain: signingDomain(network),
      types: authorizationTypes,
      primaryType: "TransferWithAuthorization",
      message: {
        ...authorization,
        validAfter: BigInt(authorization.validAfter),
        validBefore: BigInt(authorization.validBefore)
      },
      signature
    })
  )

describe("sign", () => {
  const test = effects(it, custody())

  for (const network of [base, baseSepolia]) {
    it.effect(`signs for the USDC of ${network.name}, with the wallet's own key`, () =>
      Effect.gen(function* () {
        const { sign } = yield* KeyCustody
        const signature = yield* sign(walletOf(encrypt(PRIVATE_KEY)), authorization)
        assert.strictEqual(address(yield* recover(signature, network)), AGENT)
      }).pipe(Effect.provide(custody(ENCRYPTION_KEY, network)))
    )
  }

  test("gives the same bytes for the same fields", function* () {
    const { sign } = yield* KeyCustody
    const wallet = walletOf(encrypt(PRIVATE_KEY))
    assert.strictEqual(yield* sign(wallet, authorization), yield* sign(wallet, { ...authorization }))
  })

  test("signs no payment from another wallet", function* () {
    const { sign } = yield* KeyCustody
    const error = yield* Effect.flip(sign(walletOf(encrypt(PRIVATE_KEY)), { ...authorization, from: account(5) }))
    assert.include(error.message, `${AGENT} cannot sign a payment from ${account(5)}`)
  })

  test("refuses what USDC would not take, without viem's words about it", function* () {
    const { sign } = yield* KeyCustody
    const impossible = { ...authorization, value: (2n ** 256n) as Authorization["value"] }
    const error = yield* Effect.flip(sign(walletOf(encrypt(PRIVATE_KEY)), impossible))
    assert.include(error.message, "cannot sign this payment")
  })
})

describe("check", () => {
  const test = effects(it, custody())

  const stored = encrypt(PRIVATE_KEY)
  const [iv, tag, cipher] = stored.split(":") as [string, string, string]
  const altered = `${iv}:${tag}:${cipher.startsWith("0") ? "1" : "0"}${cipher.slice(1)}`

  test("passes a key that decrypts and belongs to its wallet, in either case of its digits", function* () {
    const { check } = yield* KeyCustody
    yield* check(walletOf(stored))
    yield* check(walletOf(stored.toUpperCase()))
    yield* check(walletOf(encrypt(PRIVATE_KEY.toUpperCase())))
  })

  const faults = [
    [
      "is encrypted with another key",
      walletOf(encrypt(PRIVATE_KEY, "aa".repeat(32))),
      "does not decrypt with AGENT_ENCRYPTION_KEY"
    ],
    ["was altered", walletOf(altered), "does not decrypt with AGENT_ENCRYPTION_KEY"],
    [
      "has a tag cut short",
      walletOf(`${iv}:${tag.slice(8)}:${cipher}`),
      "is not of the form ivHex:authTagHex:cipherHex"
    ],
    ["is stored in the clear", walletOf(PRIVATE_KEY), "is not of the form ivHex:authTagHex:cipherHex"],
    ["has 0x in front", walletOf(encrypt(`0x${PRIVATE_KEY.slice(2)}`)), "is no private key"],
    ["is zero", walletOf(encrypt("0".repeat(64))), "is no private key"],
    ["belongs to another wallet", walletOf(stored, account(5)), `belongs to another address, ${AGENT}`]
  ] as const

  it.effect.each(faults)("tells the operator of a key that %s", ([, wallet, words]) =>
    Effect.gen(function* () {
      const { check, sign } = yield* KeyCustody
      const error = yield* Effect.flip(check(wallet))
      assert.include(error.message, `the key of agent wallet ${wallet.agentAddress} `)
      assert.include(error.message, words)
      const refused = yield* Effect.flip(sign(wallet, { ...authorization, from: wallet.agentAddress }))
      assert.strictEqual(refused.message, error.message)
      for (const secret of [PRIVATE_KEY, ENCRYPTION_KEY, cipher]) {
        assert.notInclude(error.message + error.stack + JSON.stringify(error), secret)
        assert.isUndefined(error.cause)
      }
    }).pipe(Effect.provide(custody()))
  )

  it.effect("says which setting is missing where there is no encryption key", () =>
    Effect.gen(function* () {
      const { check } = yield* KeyCustody
      assert.include((yield* Effect.flip(check(walletOf(stored)))).message, "set AGENT_ENCRYPTION_KEY")
    }).pipe(Effect.provide(custody("")))
  )

  test("looks anew once the row has changed", function* () {
    const { check } = yield* KeyCustody
    yield* Effect.flip(check(walletOf(altered)))
    yield* check(walletOf(stored))
    yield* Effect.flip(check(walletOf(stored, account(5))))
  })
})

describe("remembering", () => {
  it("asks once for each digest, and forgets first what was not asked for while many others were", () => {
    const asked: Array<string> = []
    const answerTo = remembering(
      2,
      (question: string) => question.toLowerCase(),
      (question) => {
        asked.push(question)
        return { question }
      }
    )
    for (const question of ["a", "A", "b", "c", "a", "d", "e", "f", "a", "b"]) answerTo(question)
    assert.deepStrictEqual(asked, ["a", "b", "c", "d", "e", "f", "a", "b"])
  })
})

describe("a new account", () => {
  effects(it, custody())(
    "has its key sealed as v1.1 seals keys, opens with it, and is another one each time",
    function* () {
      const { make, check, sign } = yield* KeyCustody
      const [one, two] = [yield* make, yield* make]
      assert.notStrictEqual(one.agentAddress, two.agentAddress)
      const sealed = Redacted.value(one.encryptedPrivateKey)
      assert.match(sealed, /^[0-9a-f]{32}:[0-9a-f]{32}:[0-9a-f]{128}$/)
      const wallet = walletOf(sealed, one.agentAddress)
      yield* check(wallet)
      const signature = yield* sign(wallet, { ...authorization, from: one.agentAddress })
      assert.notStrictEqual(signature, yield* sign(walletOf(encrypt(PRIVATE_KEY)), authorization))
    }
  )

  it.effect("is not made without a key to seal it with", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip((yield* KeyCustody).make)
      assert.deepStrictEqual([error.reason, error.message.includes("AGENT_ENCRYPTION_KEY")], ["Locked", true])
    }).pipe(Effect.provide(custody("")))
  )
})
