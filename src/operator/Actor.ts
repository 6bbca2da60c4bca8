import { Context } from "effect"

/**
 * Who decides, in words, as it is written down with a decision: `alice with OPS_TOKEN from 10.0.0.7`. Of a name only the
 * one who gives it can know whether it is true; what gave it is known here.
 */
export const CurrentActor = Context.Reference<string>("ai-mint-executor/operator/Actor/CurrentActor", {
  defaultValue: () => "not known"
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
