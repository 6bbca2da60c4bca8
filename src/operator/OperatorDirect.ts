import { Effect, Layer, Stream } from "effect"
import type { ChainError } from "../chain/ChainClient.ts"
import type { LedgerError } from "../ledger/TaskRepo.ts"
import type { NoOffer } from "../mint/Minter.ts"
import { adopt } from "./adopt.ts"
import { cancel } from "./cancel.ts"
import { create } from "./create.ts"
import { explain } from "./explain.ts"
import { createKey, listKeys, revokeKey } from "./keys.ts"
import { limits, removeLimit, setLimit } from "./limits.ts"
import { Operator, type OperatorError, type Refused, Unanswered } from "./Operator.ts"
import { openWallet } from "./openWallet.ts"
import { pause, pauses, resume } from "./pause.ts"
import { journal } from "./journal.ts"
import { prove } from "./prove.ts"
import { quote } from "./quote.ts"
import { reconcile } from "./reconcile.ts"
import { refund } from "./refund.ts"
import { resolve } from "./resolve.ts"
import { resolveWallet } from "./resolveWallet.ts"
import { retry } from "./retry.ts"
import { type Services, services } from "./services.ts"
import { showWallet } from "./showWallet.ts"
import { Status } from "./Status.ts"
import { listTasks, showTask } from "./tasks.ts"
import * as Webhooks from "./webhooks.ts"
import { withdraw } from "./withdraw.ts"

/** Asks and decides on the database and the chain, inside an executor, beside one or without one. */
export const layer = Layer.effect(
  Operator,
  Effect.gen(function* () {
    const { now } = yield* Status
    const all = yield* services
    const on =
      <A extends ReadonlyArray<unknown>, B>(work: (services: Services, ...args: A) => Effect.Effect<B, Failure>) =>
      (...args: A) =>
        answered(work(all, ...args))
    /** What moves money, or lets money move. */
    const onMoney =
      <A extends ReadonlyArray<unknown>, B>(work: (services: Services, ...args: A) => Effect.Effect<B, Failure>) =>
      (...args: A) =>
        answered(Effect.catchIf(work(all, ...args), mayBeDone, ({ message }) => inDoubt(message)))
    return Operator.of({
      status: answered(now),
      listTasks: on(listTasks),
      showTask: on(showTask),
      explainTask: on(explain),
      prove: on(prove),
      journal: (period) =>
        Effect.map(
          answered(journal(all, period)),
          Stream.catchTag("LedgerError", ({ message }) => Stream.fail(notNow(message)))
        ),
      showWallet: on(showWallet),
      pauses: on(pauses)(),
      limits: on(limits)(),
      reconcile: on(reconcile)(),
      openWallet: on(openWallet),
      quote: on(quote),
      create: on(create),
      cancel: on(cancel),
      retry: onMoney(retry),
      adopt: onMoney(adopt),
      resolve: onMoney(resolve),
      reopen: onMoney(resolveWallet),
      refund: onMoney(refund),
      withdraw: onMoney(withdraw),
      pause: on(pause),
      resume: on(resume),
      setLimit: on(setLimit),
      removeLimit: on(removeLimit),
      keys: on(listKeys)(),
      createKey: on(createKey),
      revokeKey: on(revokeKey),
      addWebhook: on(Webhooks.addWebhook),
      listWebhooks: on(Webhooks.listWebhooks)(),
      testWebhook: on(Webhooks.testWebhook),
      rotateWebhook: on(Webhooks.rotateWebhook),
      removeWebhook: on(Webhooks.removeWebhook),
      listDeliveries: on(Webhooks.listDeliveries),
      redeliver: on(Webhooks.redeliver)
    })
  })
)

type Failure = Refused | LedgerError | ChainError | NoOffer | Unanswered

/** The answer to a commit may be what was lost. A question that got no answer looks the same, and is in doubt too. */
const mayBeDone = (error: Failure): error is LedgerError =>
  error._tag === "LedgerError" && (error.reason === "Timeout" || error.reason === "Unavailable")

const inDoubt = (message: string) =>
  Effect.fail(
    new Unanswered({
      reason: "Unavailable",
      message: `${message}. Whether it was done is not known: look before you repeat it.`,
      isInDoubt: true
    })
  )

const answered = <A>(work: Effect.Effect<A, Failure>): Effect.Effect<A, OperatorError> =>
  Effect.catchTags(work, { LedgerError: unavailable, ChainError: unavailable, NoOffer: unavailable })

/** A part that did not answer, as a problem of the moment. */
export const unavailable = ({ message }: { readonly message: string }) => Effect.fail(notNow(message))

const notNow = (message: string): Unanswered => new Unanswered({ reason: "Unavailable", message })
