import { Effect } from "effect"
import { format, type Usdc } from "../domain/Usdc.ts"
import { Failed } from "./client/Failed.ts"
import { NotHere } from "./io.ts"
import type { SandboxPayment } from "./words/sandbox.ts"

/** The sandbox is for development: a lean install has none. Any other fault of the import is a fault of ours. */
const needed = <A>(load: () => Promise<A>): Effect.Effect<A, NotHere> =>
  Effect.promise(load).pipe(
    Effect.catchDefect((defect) =>
      defect instanceof Error && "code" in defect && defect.code === "ERR_MODULE_NOT_FOUND"
        ? Effect.fail(new NotHere({ message: "A lean install has no sandbox: run npm ci, with its packages." }))
        : Effect.die(defect)
    )
  )

/** Has the person of the running sandbox pay. */
export const payOrder = Effect.fnUntraced(function* (task: string, amount: Usdc | undefined) {
  const { askSandbox } = yield* needed(() => import("../sandbox/askSandbox.ts"))
  const { answer } = yield* askSandbox(
    {
      path: `/sandbox/orders/${encodeURIComponent(task)}/pay`,
      late: () => "; the order may be paid. Its log says more.",
      unreadable: "It is paid, but "
    },
    ({ orders }) =>
      orders.pay({ params: { order: task }, payload: amount === undefined ? {} : { amount: format(amount) } })
  ).pipe(
    Effect.mapError(({ reason, message }) =>
      reason === "NotRunning"
        ? new NotHere({ message })
        : new Failed({ reason: reason === "Refused" ? "Refused" : "Broken", message })
    )
  )
  const { taskId, agentAddress } = answer
  return {
    command: "pay",
    taskId,
    agentAddress,
    amount: answer.amount.baseUnits
  } satisfies SandboxPayment as SandboxPayment
})

/** As `npm run sandbox:reset` does it. */
export const resetSandbox = (say: (text: string) => void) =>
  Effect.gen(function* () {
    const { DATA_DIR } = yield* needed(() => import("../sandbox/sandboxFile.ts"))
    const { clear } = yield* needed(() => import("../sandbox/clear.ts"))
    return yield* Effect.mapError(clear(DATA_DIR, say), ({ message }) => new Failed({ reason: "Refused", message }))
  })
