import { type Finding, sayerOf } from "./Finding.ts"

const say = sayerOf("chain")

/** Whether USDC runs the code that the ledger has noted. Nothing where no node told it. Pure. */
export const codeFinding = (noted: string | undefined, told: string | undefined): ReadonlyArray<Finding> => {
  if (told === undefined) return []
  const what = "USDC code"
  const runs = told === "none" ? "USDC is no proxy" : `USDC runs the code at ${told}`
  if (noted === undefined) return [say.ok({ what, detail: `${runs}; none is noted yet` })]
  if (noted === told) return [say.ok({ what, detail: `${runs}, as noted` })]
  const detail = `${runs}, and what is noted is ${noted}`
  const remedy =
    "A running executor pauses all payments for it. Look whether the new code is Circle's, then: ai-mint resume."
  return [say.warn({ what, detail, remedy })]
}
