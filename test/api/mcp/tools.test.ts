import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { address } from "../../../src/domain/Address.ts"
import { usdc } from "../../../src/domain/Usdc.ts"
import { CurrentCaller } from "../../../src/operator/Caller.ts"
import { refuse, Refused, Unanswered } from "../../../src/operator/Operator.ts"
import type { Created } from "../../../src/operator/reports/decisions.ts"
import type { WalletOpened } from "../../../src/operator/reports/wallets.ts"
import type { NewTask } from "../../../src/operator/requests.ts"
import { TOKEN } from "../served.ts"
import { overHttp } from "./client.ts"
import { completed, servingMcp, unpaid } from "./given.ts"

const placed: Created = {
  command: "create",
  taskId: unpaid.id,
  isNew: true,
  agentAddress: address(`0x${"b2".repeat(20)}`),
  totalCost: usdc(5_000_000n),
  pricePerMint: usdc(1_000_000n),
  quantity: 5,
  paymentState: "unpaid",
  nextAction: "pay",
  amountDue: usdc(5_000_000n),
  payTo: unpaid.payTo,
  payBy: unpaid.payBy,
  checkAgainAfterSeconds: 6
}

const opened: WalletOpened = {
  command: "wallets create",
  id: unpaid.agentWalletId,
  userAddress: address(unpaid.userAddress),
  agentAddress: placed.agentAddress,
  isNew: true
}

const agentOf = Effect.fnUntraced(function* (operator: Parameters<typeof servingMcp>[0]) {
  return yield* overHttp(yield* servingMcp(operator), TOKEN)
})

describe("the tools of an agent", () => {
  it.effect("are described, with every parameter and what it may do", () =>
    Effect.gen(function* () {
      const { client } = yield* agentOf({})
      const { tools } = yield* Effect.promise(() => client.listTools())
      const hints = tools.map(({ name, annotations }) => [
        name,
        annotations?.readOnlyHint === true ? "reads" : annotations?.destructiveHint === true ? "destroys" : "adds",
        annotations?.idempotentHint
      ])
      assert.deepStrictEqual(hints, [
        ["quote_mint", "adds", false],
        ["place_order", "adds", true],
        ["get_order", "reads", true],
        ["wait_for_order", "reads", true],
        ["cancel_order", "destroys", true],
        ["list_orders", "reads", true]
      ])
      for (const { name, description, title, inputSchema, outputSchema } of tools) {
        assert.isNotEmpty(`${title}${description}`, name)
        assert.strictEqual(outputSchema?.type, "object", name)
        for (const [key, schema] of Object.entries(inputSchema.properties ?? {})) {
          assert.property(schema, "description", `${name}.${key}`)
        }
      }
      const { resourceTemplates } = yield* Effect.promise(() => client.listResourceTemplates())
      assert.deepStrictEqual(
        resourceTemplates.map(({ uriTemplate }) => uriTemplate),
        ["order://{id}/explain"]
      )
      assert.include(client.getInstructions() ?? "", "never pay twice")
    })
  )

  it.effect("say what to pay, to where and until when, and come as the text of their JSON too", () =>
    Effect.gen(function* () {
      const asked: Array<NewTask> = []
      const { call } = yield* agentOf({
        create: (wish) =>
          Effect.sync(() => {
            asked.push(wish)
            return placed
          }),
        showTask: () => Effect.succeed({ ...unpaid, amountDue: usdc(3_000_000n), paymentState: "partial" })
      })
      const { userAddress: user, tokenAddress: token } = unpaid
      const { isError, structured, text } = yield* call("place_order", { user, token, quantity: 5, quoteId: unpaid.id })
      assert.isFalse(isError)
      assert.deepStrictEqual(asked, [{ quoteId: unpaid.id, userAddress: user, tokenAddress: token, quantity: 5 }])
      assert.deepStrictEqual(JSON.parse(text), structured)
      assert.strictEqual(
        structured.summary,
        `Order ${unpaid.id} waits for its money. Next: send exactly 3.00 USDC (3000000 base units) to ${unpaid.agentAddress} ` +
          "before 1970-01-01T00:10:00.000Z, which is in 10m (2.00 of 5.00 USDC came already), in one transfer. Then call " +
          "wait_for_order. If you have sent it already, do not send it again: it is seen within seconds."
      )
      assert.deepInclude(structured.order, {
        nextAction: "pay",
        amountDue: "3000000",
        payBy: "1970-01-01T00:10:00.000Z"
      })
    })
  )

  it.effect("tell of an order that is placed also where it cannot be shown then", () =>
    Effect.gen(function* () {
      const { call } = yield* agentOf({
        create: () => Effect.succeed(placed),
        showTask: () => Effect.fail(new Refused({ message: "This key may not do that." }))
      })
      const { userAddress: user, tokenAddress: token } = unpaid
      const { isError, text } = yield* call("place_order", { user, token, quantity: 5, quoteId: unpaid.id })
      assert.isTrue(isError)
      assert.match(
        text,
        /^Order \S+ is placed\. .* Next: send 5\.00 USDC \(5000000 base units\) to 0x(?:b2)+ in one transfer/
      )
    })
  )

  it.effect("ask as the one whose key it is", () =>
    Effect.gen(function* () {
      const actors: Array<string> = []
      const { call } = yield* agentOf({
        showTask: () =>
          Effect.map(CurrentCaller, ({ words }) => {
            actors.push(words)
            return completed
          })
      })
      yield* call("get_order", { order: unpaid.id })
      assert.deepStrictEqual(actors, ["OPS_TOKEN from 127.0.0.1, by MCP"])
    })
  )

  it.effect("say why something is not done, that no money has moved, and what to do next", () =>
    Effect.gen(function* () {
      const late = new Unanswered({ reason: "Late", message: "No answer in 2 minutes." })
      const { call } = yield* agentOf({
        create: () => Effect.fail(late),
        openWallet: () => Effect.succeed(opened),
        quote: () => refuse("Only 3 mints are left.", "sold_out"),
        showTask: (order) =>
          order === "00000000"
            ? Effect.fail(new Refused({ message: "There is no task 00000000.", isMissing: true }))
            : Effect.succeed({ ...completed, status: "processing" }),
        listTasks: () =>
          Effect.fail(new Unanswered({ reason: "Unavailable", message: "The database does not answer." }))
      })
      const { userAddress: user, tokenAddress: token } = unpaid
      const answers = [
        yield* call("get_order", { order: "00000000" }),
        yield* call("list_orders"),
        yield* call("place_order", { user, token, quantity: 5, quoteId: unpaid.id }),
        yield* call("quote_mint", { user, token, quantity: 5 }),
        yield* call("cancel_order", { order: unpaid.id, why: "too late" }),
        yield* call("quote_mint", { user, token, quantity: 0 })
      ]
      assert.isTrue(answers.every(({ isError }) => isError))
      const words = [
        "There is no task 00000000. Nothing has changed, and no money has moved.",
        "Nothing has changed, and no money has moved. Next: call the same again with the same arguments in 5 seconds.",
        "No money has moved by this call. Next: call place_order again with the same arguments: it makes no second order.",
        "Refused: Only 3 mints are left. Nothing has changed, and no money has moved.",
        "is paid already (processing), and a paid order is not cancelled",
        'at ["quantity"]'
      ]
      for (const [index, word] of words.entries()) assert.include(answers[index]?.text, word)
    })
  )

  it.effect("cancel an order once: the same again finds it done", () =>
    Effect.gen(function* () {
      const { call } = yield* agentOf({
        showTask: () => Effect.succeed({ ...completed, status: "cancelled", errorMessage: "Cancelled: a mistake" })
      })
      const { isError, structured } = yield* call("cancel_order", { order: unpaid.id, why: "a mistake" })
      assert.isFalse(isError)
      assert.include(structured.summary, "Do not pay for it.")
    })
  )

  it.effect("leave nothing behind where the client goes away while it waits", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const ended = yield* Deferred.make<void>()
      const { call } = yield* agentOf({
        showTask: () =>
          Deferred.succeed(begun, undefined).pipe(
            Effect.andThen(Effect.never),
            Effect.onInterrupt(() => Deferred.succeed(ended, undefined))
          )
      })
      const waiting = yield* Effect.forkChild(call("wait_for_order", { order: unpaid.id }))
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(waiting)
      yield* Deferred.await(ended)
    })
  )
})
