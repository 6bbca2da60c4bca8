import { Effect, Option, Schema } from "effect"
import { format, type Usdc } from "../domain/Usdc.ts"
import { NO_REDIRECT } from "../ops/fetch.ts"
import { Failed } from "./client/Failed.ts"
import { NotHere } from "./io.ts"
import type { SandboxPayment } from "./words/sandbox.ts"

/** Two blocks at most: one for the payment and, on a busy machine, one to wait for. */
const ANSWER_TIMEOUT = "30 seconds"

/** The sandbox is for development: a lean install has none. Any other fault of the import is a fault of ours. */
const needed = <A>(load: () => Promise<A>): Effect.Effect<A, NotHere> =>
  Effect.promise(load).pipe(
    Effect.catchDefect((defect) =>
      defect instanceof Error && "code" in defect && defect.code === "ERR_MODULE_NOT_FOUND"
        ? Effect.fail(new NotHere({ message: "A lean install has no sandbox: run npm ci, with its packages." }))
        : Effect.die(defect)
    )
  )

/** Has the person of the running sandbox pay, by its control server. */
export const payOrder = Effect.fnUntraced(function* (task: string, amount: Usdc | undefined) {
  const { DATA_DIR, findSandbox } = yield* needed(() => import("../sandbox/sandboxFile.ts"))
  const { serverUrl } = yield* Effect.mapError(findSandbox(DATA_DIR), ({ message }) => new NotHere({ message }))
  const { OrderPaid } = yield* needed(() => import("../sandbox/payRoutes.ts"))
  const { Refusal } = yield* needed(() => import("../sandbox/controlAnswers.ts"))
  const url = `${serverUrl}/sandbox/orders/${encodeURIComponent(task)}/pay`
  const { status, text } = yield* post(url, amount === undefined ? {} : { amount: format(amount) })
  if (status === 200) {
    const paid = yield* Effect.mapError(Schema.decodeEffect(Schema.fromJsonString(OrderPaid))(text), () =>
      unclear(`It is paid, but ${url} answers in a way unknown here.`)
    )
    const { taskId, agentAddress, amount: money } = paid
    return { command: "pay", taskId, agentAddress, amount: money.baseUnits } satisfies SandboxPayment as SandboxPayment
  }
  const refusal = Schema.decodeOption(Schema.fromJsonString(Refusal))(text)
  const { error, problems = [] } = Option.getOrElse(refusal, () => ({ error: `HTTP status ${status}`, problems: [] }))
  const message = [`The sandbox refused: ${error}`, ...problems].join("\n  - ")
  return yield* new Failed({ reason: "Refused", message })
})

const post = (url: string, body: unknown) =>
  Effect.tryPromise({
    try: async (signal) => {
      const headers = { "content-type": "application/json" }
      const response = await fetch(url, { ...NO_REDIRECT, method: "POST", headers, body: JSON.stringify(body), signal })
      return { status: response.status, text: await response.text() }
    },
    catch: () => unclear(`The sandbox does not answer at ${url}. Its log says more.`)
  }).pipe(
    Effect.timeoutOrElse({
      duration: ANSWER_TIMEOUT,
      orElse: () => Effect.fail(unclear(`No answer in ${ANSWER_TIMEOUT}; the order may be paid. Its log says more.`))
    })
  )

const unclear = (message: string): Failed => new Failed({ reason: "Broken", message })

/** As `npm run sandbox:reset` does it. */
export const resetSandbox = (say: (text: string) => void) =>
  Effect.gen(function* () {
    const { DATA_DIR } = yield* needed(() => import("../sandbox/sandboxFile.ts"))
    const { clear } = yield* needed(() => import("../sandbox/clear.ts"))
    return yield* Effect.mapError(clear(DATA_DIR, say), ({ message }) => new Failed({ reason: "Refused", message }))
  })
