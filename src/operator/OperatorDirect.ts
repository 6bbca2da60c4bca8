import { Effect, Layer } from "effect"
import type { ChainError } from "../chain/ChainClient.ts"
import type { LedgerError } from "../ledger/TaskRepo.ts"
import { TaskId } from "../domain/Task.ts"
import type { NoOffer } from "../mint/Minter.ts"
import { adopt } from "./adopt.ts"
import { cancel } from "./cancel.ts"
import { create } from "./create.ts"
import { explain } from "./explain.ts"
import { Operator, type OperatorError, refuse, type Refused, Unanswered } from "./Operator.ts"
import { pause, pauses, resume } from "./pause.ts"
import { reconcile } from "./reconcile.ts"
import { refund } from "./refund.ts"
import type { NewTask, RefundBody } from "./requests.ts"
import { resolve } from "./resolve.ts"
import { resolveWallet } from "./resolveWallet.ts"
import { retry } from "./retry.ts"
import { type Services, services } from "./services.ts"
import { showWallet } from "./showWallet.ts"
import { Status } from "./Status.ts"
import { listTasks, showTask } from "./tasks.ts"
import { withdraw } from "./withdraw.ts"

/** Asks and decides on the database and the chain, inside an executor, beside one or without one. */
export const layer = Layer.effect(
  Operator,
  Effect.gen(function* () {
    const { now } = yield* Status
    const all = yield* services
    return Operator.of({
      status: answered(now),
      listTasks: (query) => answered(listTasks(all, query)),
      showTask: (task) => answered(showTask(all, task)),
      explainTask: (task) => answered(explain(all, task)),
      showWallet: (wallet) => answered(showWallet(all, wallet)),
      pauses: answered(pauses(all)),
      reconcile: answered(reconcile(all)),
      create: (order) => answered(place(all, order)),
      cancel: (task, { why }) => answered(cancel(all, task, why)),
      retry: (task, { why }) => answered(retry(all, task, why)),
      adopt: (task, { why, ...options }) => answered(adopt(all, task, options, why)),
      resolve: (task, { why, ...options }) => answered(resolve(all, task, options, why)),
      reopen: (wallet, { why }) => answered(resolveWallet(all, wallet, why)),
      refund: (wallet, decision) => answered(refundTo(all, wallet, decision)),
      withdraw: (wallet, { why, refund: id }) => answered(withdraw(all, wallet, id, why)),
      pause: ({ why, ...target }) => answered(pause(all, target, why)),
      resume: ({ why, ...target }) => answered(resume(all, target, why))
    })
  })
)

const answered = <A>(
  work: Effect.Effect<A, Refused | LedgerError | ChainError | NoOffer>
): Effect.Effect<A, OperatorError> =>
  Effect.catchTags(work, { LedgerError: unavailable, ChainError: unavailable, NoOffer: unavailable })

const unavailable = ({ message }: { readonly message: string }) =>
  Effect.fail(new Unanswered({ reason: "Unavailable", message }))

const place = Effect.fnUntraced(function* (all: Services, order: typeof NewTask.Type) {
  const id = TaskId.make(order.id?.toLowerCase() ?? (yield* all.random.uuidV4()))
  const { userAddress, tokenAddress: token, quantity, pricePerMint } = order
  return yield* create(all, { id, userAddress, token, quantity, pricePerMint }, "asked for through the API")
})

const refundTo = Effect.fnUntraced(function* (
  all: Services,
  wallet: string,
  { amount, to, confirm = false, why }: typeof RefundBody.Type
) {
  if (confirm && why === undefined) return yield* refuse("With confirm, a reason is needed: why.")
  return yield* refund(all, wallet, { amount, to, confirm }, why ?? "")
})
