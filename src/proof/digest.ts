import { Effect, Redacted, Schema } from "effect"
import * as Json from "ox/Json"
import { type Hex, keccak256, recoverTypedDataAddress, stringToBytes } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { address, type Address } from "../domain/Address.ts"
import { Claims, type ClaimsJson, type Proof } from "./Proof.ts"

// What is signed. The canonical form is RFC 8785 (JCS) of the value of `proof`; the digest is keccak-256 over its UTF-8
// bytes; what the account signs is EIP-712 typed data that holds the digest and names order and person.

/** Source: RFC 8785. Object keys are sorted by their UTF-16 units, and nothing is between the tokens. */
export const canonicalForm = (claims: ClaimsJson): string => Json.canonicalize(claims)

const types = {
  OrderProof: [
    { name: "order", type: "string" },
    { name: "user", type: "address" },
    { name: "digest", type: "bytes32" }
  ]
} as const

const typedData = (claims: ClaimsJson) =>
  ({
    domain: { name: "AI Mint Executor order proof", version: "1", chainId: claims.chainId },
    types,
    primaryType: "OrderProof",
    message: {
      order: claims.order.id,
      user: claims.order.user as Hex,
      digest: keccak256(stringToBytes(canonicalForm(claims)))
    }
  }) as const

const encode = Schema.encodeSync(Claims)

/** The proof with the signature of this account; without one it is not signed. */
export const sign = Effect.fn("proof.sign")(function* (claims: Claims, key: Redacted.Redacted<Hex> | undefined) {
  if (key === undefined) return { proof: claims, signature: null } satisfies Proof as Proof
  const account = privateKeyToAccount(Redacted.value(key))
  const value = yield* Effect.promise(() => account.signTypedData(typedData(encode(claims))))
  return { proof: claims, signature: { signer: address(account.address), value } } satisfies Proof as Proof
})

/** Who has signed these claims; `undefined` where the signature is of no account at all. */
export const signerOf = (claims: ClaimsJson, signature: Hex): Effect.Effect<Address | undefined> =>
  Effect.tryPromise(() => recoverTypedDataAddress({ ...typedData(claims), signature })).pipe(
    Effect.map((signer): Address | undefined => address(signer)),
    Effect.orElseSucceed(() => undefined)
  )
