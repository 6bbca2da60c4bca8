import { Context } from "effect"
import type { Address } from "../domain/Address.ts"
import type { KeyId } from "../domain/Key.ts"
import { type Permission, type Scope, SCOPES } from "../domain/Scope.ts"

/** Who asks or decides. */
export interface Caller {
  /**
   * In words, as it is written down with a decision: `alice with OPS_TOKEN from 10.0.0.7`. Of a name only the one who
   * gives it can know whether it is true; what gave it is known here.
   */
  readonly words: string
  /** `root`: the operator, who may do everything. */
  readonly may: ReadonlySet<Permission>
  /** The key that it came with; `undefined` where it came with a token of the settings, or with none. */
  readonly keyId?: KeyId | undefined
  /** It sees and orders for this person only. */
  readonly user?: Address | undefined
}

/** All that there is, and the keys too. */
export const ROOT: ReadonlySet<Permission> = new Set([...SCOPES, "root"])

/** The operator, with whom no key is compared: on the machine itself, or with `OPS_TOKEN`. */
export const rootCaller = (words: string): Caller => ({ words, may: ROOT })

/** Who asks. Without one nothing is allowed. */
export const CurrentCaller = Context.Reference<Caller>("ai-mint-executor/operator/Caller/CurrentCaller", {
  defaultValue: () => ({ words: "not known", may: new Set<Scope>() })
})

/** Longer than any account or e-mail address that people have. */
const NAME_MAX = 64

/** A self-given name, reduced to the characters of account names and e-mail addresses: nothing in it can pass for another word of a line. */
export const operatorName = (text: string): string => text.replaceAll(/[^A-Za-z0-9._@+-]/g, "").slice(0, NAME_MAX)

/** `alice with OPS_TOKEN from 10.0.0.7`; nameless, `OPS_TOKEN from 10.0.0.7`. */
export const actorWords = (name: string, how: string): string => {
  const known = operatorName(name)
  return known === "" ? how : `${known} with ${how}`
}
