import { Context, Effect, Runtime, Schema } from "effect"
import type * as Decision from "./reports/decisions.ts"
import type { StatusReport } from "./reports/status.ts"
import type { Explanation, TaskList, TaskReport } from "./reports/tasks.ts"
import type { Paused, WalletReport } from "./reports/wallets.ts"
import type * as Request from "./requests.ts"

/** A command that was understood and is not carried out. Nothing has changed; the message says why and what to do. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  message: Schema.String,
  /** What was named is not there. */
  isMissing: Schema.optionalKey(Schema.Boolean)
}) {}

/** Fails with the reason why a command is not carried out. */
export const refuse = (message: string) => Effect.fail(new Refused({ message }))

export const missing = (message: string) => Effect.fail(new Refused({ message, isMissing: true }))

/**
 * There is no report.
 *
 * - `Unavailable`: database, chain or mint server did not answer, and nothing has changed. `Busy`: not now.
 * - `Away`, `Late`: the executor cannot be reached, or did not answer in time. It may have done what was asked.
 * - `BadRequest`: it does not understand the question. `Broken`: its answer cannot be read.
 */
export class Unanswered extends Schema.TaggedError<Unanswered>()("Unanswered", {
  reason: Schema.Literals(["Unavailable", "Busy", "Away", "Late", "BadRequest", "Broken"]),
  message: Schema.String
}) {
  override get [Runtime.errorExitCode](): number {
    return this.reason === "BadRequest" ? 2 : 1
  }
}

/** `Refused`: understood, not done, and nothing has changed. */
export type OperatorError = Refused | Unanswered

type Answer<A> = Effect.Effect<A, OperatorError>

/**
 * What a person or program asks and decides. Orders are named by their id or its first eight digits, wallets by their id,
 * their user's address or their own. Every decision is written down with `CurrentActor`.
 */
export class Operator extends Context.Service<
  Operator,
  {
    readonly status: Answer<StatusReport>
    readonly listTasks: (query: Request.TaskQuery) => Answer<TaskList>
    readonly showTask: (task: string) => Answer<TaskReport>
    readonly explainTask: (task: string) => Answer<Explanation>
    readonly showWallet: (wallet: string) => Answer<WalletReport>
    readonly pauses: Answer<Paused>
    /** Compares the whole ledger with the chain. */
    readonly reconcile: Answer<Decision.Reconciled>
    readonly create: (order: Request.NewTask) => Answer<Decision.Created>
    readonly cancel: (task: string, decision: Request.WhyBody) => Answer<Decision.Cancelled>
    readonly retry: (task: string, decision: Request.WhyBody) => Answer<Decision.Retried>
    readonly adopt: (task: string, decision: Request.AdoptBody) => Answer<Decision.Adopted>
    readonly resolve: (task: string, decision: Request.ResolveBody) => Answer<Decision.Resolved>
    /** Ends the stop of a wallet. */
    readonly reopen: (wallet: string, decision: Request.WhyBody) => Answer<Decision.Reopened>
    readonly refund: (wallet: string, decision: Request.RefundBody) => Answer<Decision.RefundReport>
    readonly withdraw: (wallet: string, decision: Request.WithdrawBody) => Answer<Decision.Withdrawn>
    readonly pause: (decision: Request.PauseBody) => Answer<Paused>
    readonly resume: (decision: Request.PauseBody) => Answer<Paused>
  }
>()("ai-mint-executor/operator/Operator") {}

/**
 * Who decides, in words, as it is written down with a decision: `alice with OPS_TOKEN from 10.0.0.7`. Of a name only the
 * one who gives it can know whether it is true; what gave it is known here.
 */
export const CurrentActor = Context.Reference<string>("ai-mint-executor/operator/Operator/CurrentActor", {
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
