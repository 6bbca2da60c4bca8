import { Effect } from "effect"
import type { Finding, Sayer } from "./Finding.ts"

/** A look that has a time limit of its own, and what to tell where it cannot be taken. */
export interface Look {
  readonly say: Sayer
  readonly what: string
  /** What an operator does where it fails. */
  readonly remedy: string
}

export type Findings = ReadonlyArray<Finding>

/** What was seen, or why nothing could be seen: a broken look is a finding, and never the end of the others. */
export const attempt = <E extends { readonly message: string; readonly remedy?: string }, R>(
  { say, what, remedy }: Look,
  look: Effect.Effect<Findings, E, R>
): Effect.Effect<Findings, never, R> => {
  // The error may know better what to do.
  const failed = (error: E): Findings => [say.fail({ what, detail: error.message, remedy: error.remedy ?? remedy })]
  return look.pipe(
    Effect.catch((error) => Effect.succeed(failed(error))),
    Effect.catchDefect((defect) => Effect.succeed([broken({ say, what }, defect)]))
  )
}

/** A defect of this program: not the operator's fault, and told all the same. */
export const broken = ({ say, what }: Pick<Look, "say" | "what">, defect: unknown): Finding =>
  say.fail({
    what,
    detail: `the check itself broke: ${String(defect).split("\n", 1)[0] ?? ""}`,
    remedy: "This is a fault of ai-mint: report it with this line."
  })
