import { Context, Effect, Runtime, Schema, type Stream } from "effect"
import { type ProblemCode, PROBLEM_CODES } from "../domain/ProblemCode.ts"
import type { Proof } from "../proof/Proof.ts"
import type * as Decision from "./reports/decisions.ts"
import type { KeyList, KeyMade, KeyRevoked } from "./reports/keys.ts"
import type { Limits } from "./reports/limits.ts"
import type { StatusReport } from "./reports/status.ts"
import type { Explanation, TaskList, TaskReport } from "./reports/tasks.ts"
import type { Paused, WalletOpened, WalletReport } from "./reports/wallets.ts"
import type * as Webhook from "./reports/webhooks.ts"
import type * as Request from "./requests.ts"

/** A command that was understood and is not carried out. Nothing has changed; the message says why and what to do. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  message: Schema.String,
  /** What was named is not there. */
  isMissing: Schema.optionalKey(Schema.Boolean),
  /** The reason for programs; left out, a person has to see it. */
  code: Schema.optionalKey(Schema.Literals(PROBLEM_CODES))
}) {}

/** Fails with the reason why a command is not carried out. */
export const refuse = (message: string, code: ProblemCode = "refused") => Effect.fail(new Refused({ message, code }))

export const missing = (message: string) => Effect.fail(new Refused({ message, isMissing: true }))

/**
 * There is no report.
 *
 * - `Unavailable`: database, chain or mint server did not answer, and nothing has changed, unless it is in doubt. `Busy`:
 *   not now.
 * - `Away`, `Late`: the executor cannot be reached, or did not answer in time. It may have done what was asked.
 * - `BadRequest`: it does not understand the question. `Broken`: its answer cannot be read.
 */
export class Unanswered extends Schema.TaggedError<Unanswered>()("Unanswered", {
  reason: Schema.Literals(["Unavailable", "Busy", "Away", "Late", "BadRequest", "Broken"]),
  message: Schema.String,
  /** What was asked for moves money, and may have been done. */
  isInDoubt: Schema.optionalKey(Schema.Boolean)
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
 * their user's address or their own. Every decision is written down with `CurrentCaller`, and one who is
 * bound to a person is shown only what is that person's.
 */
export class Operator extends Context.Service<
  Operator,
  {
    readonly status: Answer<StatusReport>
    readonly listTasks: (query: Request.TaskQuery) => Answer<TaskList>
    readonly showTask: (task: string) => Answer<TaskReport>
    readonly explainTask: (task: string) => Answer<Explanation>
    /** What a person or court can check on chain by itself: the order's money and mints. */
    readonly prove: (task: string) => Answer<Proof>
    readonly showWallet: (wallet: string) => Answer<WalletReport>
    readonly pauses: Answer<Paused>
    readonly limits: Answer<Limits>
    /** Compares the whole ledger with the chain. */
    readonly reconcile: Answer<Decision.Reconciled>
    /** The agent wallet of a person, made if there is none. */
    readonly openWallet: (wallet: Request.NewWallet) => Answer<WalletOpened>
    readonly quote: (wish: Request.NewQuote) => Answer<Decision.Quoted>
    /** What changed in the books in a period, as CSV: `journal.ts`. */
    readonly journal: (period: Request.JournalQuery) => Answer<Stream.Stream<string, OperatorError>>
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
    readonly keys: Answer<KeyList>
    /** The answer is the only place where the key's secret is ever shown. */
    readonly createKey: (key: Request.NewKey) => Answer<KeyMade>
    /** Named by its name or its id. It opens nothing from then on. */
    readonly revokeKey: (key: string, decision: Request.MaybeWhyBody) => Answer<KeyRevoked>
    readonly addWebhook: (webhook: Request.NewWebhook) => Answer<Webhook.WebhookSecret>
    readonly listWebhooks: Answer<Webhook.WebhookList>
    readonly testWebhook: (webhook: string) => Answer<Webhook.Sent>
    readonly rotateWebhook: (webhook: string) => Answer<Webhook.WebhookSecret>
    readonly removeWebhook: (webhook: string) => Answer<Webhook.WebhookRemoved>
    readonly listDeliveries: (query: Request.DeliveryQuery) => Answer<Webhook.DeliveryList>
    readonly redeliver: (delivery: string) => Answer<Webhook.Sent>
    readonly setLimit: (decision: Request.LimitBody) => Answer<Limits>
    readonly removeLimit: (decision: Request.LimitTarget) => Answer<Limits>
  }
>()("ai-mint-executor/operator/Operator") {}
