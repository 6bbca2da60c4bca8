import { Effect, Layer } from "effect"
import { KeyCustody } from "../../src/chain/KeyCustody.ts"
import type { Address } from "../../src/domain/Address.ts"
import type { Authorization, SignedAuthorization } from "../../src/domain/Authorization.ts"
import { digest } from "./Chain.ts"
import { interposed, type Process } from "./Process.ts"

/**
 * The keys of the agent wallets, with signatures that are as deterministic and as bound to every signed field as real
 * ones, and much faster. Remembers what is secret, so that the log can be searched for it.
 */
export class Keys {
  readonly #keyOf = new Map<Address, string>()
  readonly signatures = new Set<string>()

  make(agent: Address): string {
    const key = digest(`key of ${agent}`).slice(2)
    this.#keyOf.set(agent, key)
    return key
  }

  get privateKeys(): Iterable<string> {
    return this.#keyOf.values()
  }

  signatureOf(authorization: Authorization): `0x${string}` {
    const { from, to, value, validAfter, validBefore, nonce } = authorization
    const fields = [this.#keyOf.get(from), from, to, value, validAfter, validBefore, nonce].join(" ")
    const half = digest(fields).slice(2)
    return `0x${half}${half}1b`
  }

  isSigned(payment: SignedAuthorization): boolean {
    return this.#keyOf.has(payment.from) && payment.signature === this.signatureOf(payment)
  }
}

export const custody = ({ keys }: { readonly keys: Keys }, process: Process): Layer.Layer<KeyCustody> => {
  const service = KeyCustody.of({
    check: () => Effect.void,
    make: Effect.die("people have their wallets here"),
    sign: (_wallet, authorization) =>
      Effect.sync(() => {
        const signature = keys.signatureOf(authorization)
        keys.signatures.add(signature)
        return signature
      })
  })
  return Layer.succeed(
    KeyCustody,
    interposed(service, (name, work) => process.does(name, work))
  )
}
