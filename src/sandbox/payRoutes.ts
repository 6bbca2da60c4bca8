import { Effect, Schema } from "effect"
import type { Context } from "hono"
import { type Address, parse } from "../domain/Address.ts"
import { format, type Usdc, usdc } from "../domain/Usdc.ts"
import { readBody, refuse } from "./controlAnswers.ts"
import { DeskError, type Order, type OrderDesk } from "./OrderDesk.ts"

const AMOUNT = /^(\d{1,12})(?:\.(\d{1,6}))?$/

/** An amount of USDC as people write it: `2.5`. */
const AmountText = Schema.String.check(
  Schema.isPattern(AMOUNT, { message: "expected an amount of USDC like 2.5, with at most six decimals" })
)

/** The body of `POST /sandbox/orders/:id/pay`. */
const PayBody = Schema.Struct({ amount: Schema.optionalKey(AmountText) })

/** The answer to it: what was paid to which wallet. */
export const OrderPaid = Schema.toCodecJson(
  Schema.Struct({
    taskId: Schema.String,
    agentAddress: Schema.String,
    amount: Schema.Struct({ baseUnits: Schema.BigInt, usdc: Schema.String })
  })
)

const encode = Schema.encodeSync(OrderPaid)
const readPay = readBody(PayBody)

/** `POST /sandbox/orders/:id/pay`: the person pays for an order, all of it or as much as they say, whatever became of it. */
export const payFor = (desk: OrderDesk["Service"]) =>
  Effect.fn("ControlServer.pay")(function* (c: Context, name: string) {
    const body = yield* readPay(c)
    if ("problems" in body) return refuse(c, 400, { error: "this is no payment", problems: body.problems })
    const order = yield* findOrder(desk, name)
    const agentAddress = yield* walletOf(order)
    const amount = body.amount === undefined ? usdc(order.total_cost) : baseUnits(body.amount)
    yield* desk.pay(agentAddress, amount)
    return c.json(encode({ taskId: order.id, agentAddress, amount: { baseUnits: amount, usdc: format(amount) } }))
  })

const baseUnits = (text: string): Usdc => {
  const [, whole = "0", fraction = ""] = AMOUNT.exec(text) ?? []
  return usdc(BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, "0")))
}

/** By its id, or the first eight digits of it, where it is among the latest. */
const findOrder = Effect.fnUntraced(function* (desk: OrderDesk["Service"], name: string) {
  if (!/^[0-9a-f]{8}$/i.test(name)) return yield* desk.readOrder(name)
  const orders = (yield* desk.latestOrders).filter(({ id }) => id.startsWith(name.toLowerCase()))
  const [order, other] = orders
  if (order === undefined) return yield* missing(`there is no order ${name} among the latest: give its whole id`)
  return other === undefined ? order : yield* missing(`there are several orders ${name}: give the whole id`)
})

const walletOf = ({ id, agent_address }: Order): Effect.Effect<Address, DeskError> => {
  const wallet = parse(agent_address ?? "")
  return wallet === undefined ? Effect.fail(missing(`order ${id} has no agent wallet`)) : Effect.succeed(wallet)
}

const missing = (message: string): DeskError => new DeskError({ reason: "NotFound", message })
