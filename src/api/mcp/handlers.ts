import { Clock, Effect } from "effect"
import { Operator, type OperatorError } from "../../operator/Operator.ts"
import type { TaskReport } from "../../operator/reports/tasks.ts"
import { guarded } from "./permissions.ts"
import { OrderTools, ToolProblem, WAIT_SECONDS_MAX } from "./tools.ts"
import { type Effects, orderWords, placedWords, problemOf, quoteWords } from "./words.ts"
import { makeWait } from "./waiting.ts"

const LIST_DEFAULT = 10

/** Of a call that only looks. */
const LOOK: Effects = { afterSilence: "call the same again in 5 seconds." }

const saying = <A>(answer: Effect.Effect<A, OperatorError>, effects: Effects) =>
  Effect.mapError(answer, (error) => problemOf(error, effects))

/** What was done stays done where the order cannot be shown then. */
const orElseSay = <A>(shown: Effect.Effect<A, ToolProblem>, done: string) =>
  Effect.mapError(shown, () => new ToolProblem({ message: done }))

const answerFor = (order: TaskReport) =>
  Effect.map(Clock.currentTimeMillis, (nowMs) => ({ summary: orderWords(order, nowMs), order }))

/** The tools, over what the API's routes ask too: nothing about money goes a second way. */
export const layer = OrderTools.toLayer(
  Effect.gen(function* () {
    const operator = yield* Operator
    const wait = yield* makeWait(operator)
    const show = (order: string) => Effect.flatMap(saying(operator.showTask(order), LOOK), answerFor)
    return guarded(
      OrderTools.of({
        quote_mint: Effect.fnUntraced(function* ({ user, token, quantity }) {
          yield* saying(operator.openWallet({ user }), LOOK)
          const quote = yield* saying(operator.quote({ user, token, quantity }), LOOK)
          return { summary: quoteWords(quote), quote }
        }),
        place_order: Effect.fnUntraced(function* ({ user, token, quantity, quoteId, id }) {
          const order = {
            userAddress: user,
            tokenAddress: token,
            quantity,
            quoteId,
            ...(id === undefined ? {} : { id })
          }
          const created = yield* saying(operator.create(order), {
            afterSilence: "call place_order again with the same arguments: it makes no second order."
          })
          const placed = yield* orElseSay(show(created.taskId), placedWords(created))
          return { ...placed, isNew: created.isNew }
        }),
        get_order: ({ order }) => show(order),
        wait_for_order: Effect.fnUntraced(function* ({ order, seconds = WAIT_SECONDS_MAX }) {
          const waited = yield* saying(wait(order, seconds * 1_000), LOOK)
          return { ...(yield* answerFor(waited.order)), changed: waited.changed }
        }),
        cancel_order: Effect.fnUntraced(function* ({ order, why }) {
          const before = yield* saying(operator.showTask(order), LOOK)
          // The same call again, such as after a lost answer: what it asks for is done.
          if (before.status === "cancelled") return { ...(yield* answerFor(before)), credit: undefined }
          if (before.status !== "pending_payment") return yield* new ToolProblem({ message: notCancelled(before) })
          const { credit } = yield* saying(operator.cancel(before.id, { why }), {
            afterSilence: "call get_order: it says whether the order is cancelled."
          })
          return {
            ...(yield* orElseSay(
              show(before.id),
              `Order ${before.id} is cancelled. It cannot be shown now. Next: nothing; do not pay for it.`
            )),
            credit
          }
        }),
        list_orders: Effect.fnUntraced(function* ({ status = [], user, token, cursor, limit = LIST_DEFAULT }) {
          const list = yield* saying(
            operator.listTasks({
              limit,
              ...(status.length === 0 ? {} : { status: status.join(",") }),
              ...(user === undefined ? {} : { user }),
              ...(token === undefined ? {} : { token }),
              ...(cursor === undefined ? {} : { cursor })
            }),
            LOOK
          )
          const more =
            list.next === undefined ? "" : " There are more: call list_orders again with cursor set to `next`."
          return { summary: `${countOf(list.tasks.length)}, newest first.${more}`, ...list }
        })
      })
    )
  })
)

const countOf = (count: number): string => (count === 1 ? "1 order" : `${count} orders`)

const notCancelled = ({ id, status }: TaskReport): string =>
  status === "funded" || status === "processing"
    ? `Refused: order ${id} is paid already (${status}), and a paid order is not cancelled: it is being minted. ` +
      "Nothing has changed. Next: call wait_for_order. To give it up all the same, the person has to ask the operator."
    : `Refused: order ${id} has ended already: it is ${status}. Nothing has changed, and there is nothing to cancel.`
