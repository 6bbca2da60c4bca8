import { Context, Effect, Layer } from "effect"
import * as SecureRandom from "effect/crypto/SecureRandom"
import { ChainClient, type ChainError } from "../chain/ChainClient.ts"
import { KeyCustody } from "../chain/KeyCustody.ts"
import { Settings } from "../config/Settings.ts"
import { DecisionRepo } from "../ledger/DecisionRepo.ts"
import { type LedgerError, TaskRepo } from "../ledger/TaskRepo.ts"
import { WatchRepo } from "../ledger/WatchRepo.ts"
import { TaskId } from "../domain/Task.ts"
import { Minter, type NoOffer } from "../mint/Minter.ts"
import { adopt } from "./adopt.ts"
import { cancel } from "./cancel.ts"
import { create } from "./create.ts"
import { explain } from "./explain.ts"
import { Operator, type OperatorError, Unanswered } from "./Operator.ts"
import { pause, pauses, resume } from "./pause.ts"
import { reconcile } from "./reconcile.ts"
import { refund } from "./refund.ts"
import { Refused } from "./Refused.ts"
import type { NewTask, RefundBody } from "./requests.ts"
import { resolve } from "./resolve.ts"
import { resolveWallet } from "./resolveWallet.ts"
import { retry } from "./retry.ts"
import { showWallet } from "./showWallet.ts"
import { Status } from "./Status.ts"
import { listTasks, showTask } from "./tasks.ts"
import { withdraw } from "./withdraw.ts"

type Services =
  | Settings
  | TaskRepo
  | DecisionRepo
  | WatchRepo
  | ChainClient
  | KeyCustody
  | Minter
  | SecureRandom.SecureRandom

/** Only these: who decides, and the span, come from where a method is called. */
const pick = Context.pick(
  Settings,
  TaskRepo,
  DecisionRepo,
  WatchRepo,
  ChainClient,
  KeyCustody,
  Minter,
  SecureRandom.SecureRandom
)

/** Asks and decides on the database and the chain, inside an executor, beside one or without one. */
export const layer = Layer.effect(
  Operator,
  Effect.gen(function* () {
    const { now } = yield* Status
    const services = pick(yield* Effect.context<Services>())
    const run = <A>(work: Effect.Effect<A, Refused | LedgerError | ChainError | NoOffer, Services>) =>
      answered(Effect.provideContext(work, services))
    return Operator.of({
      status: answered(now),
      listTasks: (query) => run(listTasks(query)),
      showTask: (task) => run(showTask(task)),
      explainTask: (task) => run(explain(task)),
      showWallet: (wallet) => run(showWallet(wallet)),
      pauses: run(pauses),
      reconcile: run(reconcile()),
      create: (order) => run(place(order)),
      cancel: (task, { why }) => run(cancel(task, why)),
      retry: (task, { why }) => run(retry(task, why)),
      adopt: (task, { why, ...options }) => run(adopt(task, options, why)),
      resolve: (task, { why, ...options }) => run(resolve(task, options, why)),
      reopen: (wallet, { why }) => run(resolveWallet(wallet, why)),
      refund: (wallet, decision) => run(refundTo(wallet, decision)),
      withdraw: (wallet, { why, refund: id }) => run(withdraw(wallet, id, why)),
      pause: ({ why, ...target }) => run(pause(target, why)),
      resume: ({ why, ...target }) => run(resume(target, why))
    })
  })
)

const answered = <A>(
  work: Effect.Effect<A, Refused | LedgerError | ChainError | NoOffer>
): Effect.Effect<A, OperatorError> =>
  Effect.catchTags(work, { LedgerError: unavailable, ChainError: unavailable, NoOffer: unavailable })

const unavailable = ({ message }: { readonly message: string }) =>
  Effect.fail(new Unanswered({ reason: "Unavailable", message }))

const place = Effect.fnUntraced(function* (order: typeof NewTask.Type) {
  const id = TaskId.make(order.id?.toLowerCase() ?? (yield* (yield* SecureRandom.SecureRandom).uuidV4()))
  const { userAddress, tokenAddress: token, quantity, pricePerMint } = order
  return yield* create({ id, userAddress, token, quantity, pricePerMint }, "asked for through the API")
})

const refundTo = Effect.fnUntraced(function* (
  wallet: string,
  { amount, to, confirm = false, why }: typeof RefundBody.Type
) {
  if (confirm && why === undefined) return yield* new Refused({ message: "With confirm, a reason is needed: why." })
  return yield* refund(wallet, { amount, to, confirm }, why ?? "")
})
