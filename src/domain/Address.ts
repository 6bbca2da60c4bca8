import { Schema, SchemaTransformation } from "effect"

/**
 * An account or contract on an EVM chain, in lower case. Other programs may store it in any case, so the case carries
 * no meaning here and two addresses compare with `===`.
 */
export const Address = Schema.TemplateLiteral(["0x", Schema.String])
  .check(Schema.isPattern(/^0x[0-9a-f]{40}$/, { message: "expected 0x and 40 hex digits" }))
  .pipe(Schema.brand("Address"))
export type Address = typeof Address.Type

/** An address that may be stored in any case. */
export const StoredAddress = Schema.String.pipe(
  Schema.decodeTo(
    Address,
    SchemaTransformation.transform({
      // What is no address is refused by the check of `Address`.
      decode: (text) => text.trim().toLowerCase() as `0x${string}`,
      encode: (address) => address
    })
  )
)

/** As PostgreSQL writes it. An id of a row of another program may be of any version. */
export const Uuid = Schema.String.check(
  Schema.isPattern(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, { message: "expected a UUID in lower case" })
)

/** 32 bytes as `0x` and 64 hex digits: a transaction or block hash, or an EIP-3009 nonce. Only its `0x` is checked. */
export const Bytes32 = Schema.TemplateLiteral(["0x", Schema.String])
export type Bytes32 = typeof Bytes32.Type

const FORM = /^0x[0-9a-f]{40}$/

/** The address in `text` (any case), or `undefined` where there is none. */
export const parse = (text: string): Address | undefined => {
  const lower = text.trim().toLowerCase()
  return FORM.test(lower) ? (lower as Address) : undefined
}

/** For constants and for values that a decoder has already checked. Throws on anything that is no address. */
export const address = (text: string): Address => {
  const parsed = parse(text)
  if (parsed === undefined) throw new TypeError(`not an address: ${text}`)
  return parsed
}

export const ZERO = address("0x0000000000000000000000000000000000000000")
