import type { Effect } from "effect"
import type { AskError } from "../client/Failed.ts"
import type { Executor } from "../client/Executor.ts"
import { DECIDE, LOOK_OR_DIRECT, type Terms } from "../client/ask.ts"
import { decision } from "../forms.ts"
import type { Form } from "../tell.ts"
import type { Kit, Tools } from "../Kit.ts"
import type { Report } from "../words/decisions.ts"

/** The two ways in which something is decided or looked at. What they report is the same. */
interface Both<A, B, E2> {
  readonly through: (executor: Executor) => Effect.Effect<A, AskError>
  readonly straight: Effect.Effect<B, E2, Tools>
}

interface Asked {
  readonly direct: boolean
  readonly json: boolean
}

/** Carries a decision out, by the running executor or without it, and tells its report. */
export const decide = <E, A extends Report, B extends Report, E2>(
  { ways, tell }: Kit<E>,
  { direct, json }: Asked,
  { through, straight }: Both<A, B, E2>,
  terms: Terms = DECIDE
) => {
  const work: Effect.Effect<A | B, E | E2 | Effect.Error<ReturnType<typeof ways.ask>>> = direct
    ? ways.direct(straight)
    : ways.ask(through, terms)
  return tell(work, decision, json)
}

/** Looks at something, through the running executor or without it, and tells it. */
export const look = <E, A, E2>(
  { ways, tell }: Kit<E>,
  { direct, json }: Asked,
  { through, straight }: Both<A, A, E2>,
  form: Form<A>
) => {
  const work: Effect.Effect<A, E | E2 | Effect.Error<ReturnType<typeof ways.ask>>> = direct
    ? ways.direct(straight)
    : ways.ask(through, LOOK_OR_DIRECT)
  return tell(work, form, json)
}
