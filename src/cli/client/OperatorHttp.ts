import { Effect, Layer } from "effect"
import { Operator } from "../../operator/Operator.ts"
import { AUDIT, CHANGE, DECIDE, ExecutorClient, LOOK, LOOK_OR_DIRECT } from "./ExecutorClient.ts"

/** Asks and decides through the running executor. */
export const layer = Layer.effect(
  Operator,
  Effect.map(ExecutorClient, ({ ask }) =>
    Operator.of({
      status: ask(({ control }) => control.overview(), LOOK_OR_DIRECT),
      listTasks: (query) => ask(({ tasks }) => tasks.list({ query }), LOOK_OR_DIRECT),
      showTask: (task) => ask(({ tasks }) => tasks.show({ params: { task } }), LOOK_OR_DIRECT),
      explainTask: (task) => ask(({ tasks }) => tasks.explain({ params: { task } }), LOOK_OR_DIRECT),
      showWallet: (wallet) => ask(({ wallets }) => wallets.show({ params: { wallet } }), LOOK_OR_DIRECT),
      pauses: ask(({ control }) => control.pauses(), LOOK),
      reconcile: ask(({ control }) => control.reconcile(), AUDIT),
      create: (payload) => ask(({ tasks }) => tasks.create({ payload }), CHANGE),
      cancel: (task, payload) => ask(({ tasks }) => tasks.cancel({ params: { task }, payload }), DECIDE),
      retry: (task, payload) => ask(({ tasks }) => tasks.retry({ params: { task }, payload }), DECIDE),
      adopt: (task, payload) => ask(({ tasks }) => tasks.adopt({ params: { task }, payload }), DECIDE),
      resolve: (task, payload) => ask(({ tasks }) => tasks.resolve({ params: { task }, payload }), DECIDE),
      reopen: (wallet, payload) => ask(({ wallets }) => wallets.resolve({ params: { wallet }, payload }), DECIDE),
      refund: (wallet, payload) => ask(({ wallets }) => wallets.refund({ params: { wallet }, payload }), DECIDE),
      withdraw: (wallet, payload) => ask(({ wallets }) => wallets.withdraw({ params: { wallet }, payload }), DECIDE),
      pause: (payload) => ask(({ control }) => control.pause({ payload }), CHANGE),
      resume: (payload) => ask(({ control }) => control.resume({ payload }), CHANGE)
    })
  )
)
