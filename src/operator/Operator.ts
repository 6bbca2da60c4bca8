import { Context, type Effect, Runtime, Schema } from "effect"
import type { Refused } from "./Refused.ts"
import type * as Decision from "./reports/decisions.ts"
import type { StatusReport } from "./reports/status.ts"
import type { Explanation, TaskList, TaskReport } from "./reports/tasks.ts"
import type { Paused, WalletReport } from "./reports/wallets.ts"
import type * as Request from "./requests.ts"

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
    readonly listTasks: (query: typeof Request.TaskQuery.Type) => Answer<TaskList>
    readonly showTask: (task: string) => Answer<TaskReport>
    readonly explainTask: (task: string) => Answer<Explanation>
    readonly showWallet: (wallet: string) => Answer<WalletReport>
    readonly pauses: Answer<Paused>
    /** Compares the whole ledger with the chain. */
    readonly reconcile: Answer<Decision.Reconciled>
    readonly create: (order: typeof Request.NewTask.Type) => Answer<Decision.Created>
    readonly cancel: (task: string, decision: typeof Request.WhyBody.Type) => Answer<Decision.Cancelled>
    readonly retry: (task: string, decision: typeof Request.WhyBody.Type) => Answer<Decision.Retried>
    readonly adopt: (task: string, decision: typeof Request.AdoptBody.Type) => Answer<Decision.Adopted>
    readonly resolve: (task: string, decision: typeof Request.ResolveBody.Type) => Answer<Decision.Resolved>
    /** Ends the stop of a wallet. */
    readonly reopen: (wallet: string, decision: typeof Request.WhyBody.Type) => Answer<Decision.Reopened>
    readonly refund: (wallet: string, decision: typeof Request.RefundBody.Type) => Answer<Decision.RefundReport>
    readonly withdraw: (wallet: string, decision: typeof Request.WithdrawBody.Type) => Answer<Decision.Withdrawn>
    readonly pause: (decision: typeof Request.PauseBody.Type) => Answer<Paused>
    readonly resume: (decision: typeof Request.PauseBody.Type) => Answer<Paused>
  }
>()("ai-mint-executor/operator/Operator") {}
