/** The code that USDC was seen to run, and whether more than one look says so. */
export interface CodeLook {
  readonly code: string
  readonly isSure: boolean
}

/** Why everything is paused, for the person who has to look. */
export const codeChanged = (before: string, after: string): string =>
  `the code of USDC changed from ${before} to ${after}: look whether it still is what payments are signed for, ` +
  "then ai-mint resume accepts it"

/** Who paused, among the decisions of people: the program itself. */
export const CODE_DECISION = {
  command: "pause",
  said: "everything is paused by the executor",
  by: "the executor"
} as const
