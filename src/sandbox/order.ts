import { Clock, Console, Effect, Option, Schema } from "effect"
// One module each: all of `effect/cli` would double the time until the first line.
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { shortId } from "../domain/Task.ts"
import { duration } from "../domain/time.ts"
import { askSandbox, dataDirFlag, runCommand, userError } from "./askSandbox.ts"
import { orderLimits, isRecipient, type OrderPlaced, PayMode, Quantity } from "./SandboxApi.ts"

const flags = {
  quantity: Flag.Int("quantity").pipe(
    Flag.withAlias("n"),
    Flag.filter(Schema.is(Quantity), () => orderLimits.quantity),
    Flag.withDefault(5),
    Flag.withDescription("How many mints to order. Default: 5")
  ),
  pay: Flag.Literals("pay", PayMode.literals).pipe(
    Flag.withDefault("now"),
    Flag.withDescription(
      "How the person pays: all at once (the default), all of it after the deadline, half of it at once, or nothing"
    )
  ),
  user: Flag.String("user").pipe(
    Flag.filter(isRecipient, () => orderLimits.user),
    Flag.optional,
    Flag.withDescription("The address that orders and gets the tokens. Default: a new person")
  ),
  dataDir: dataDirFlag
}

const command = Command.make(
  "sandbox:order",
  flags,
  Effect.fnUntraced(function* ({ dataDir, quantity, pay, user }) {
    const payload = { quantity, pay, ...(Option.isSome(user) ? { user: user.value } : {}) }
    const { answer: order, url: orders } = yield* askSandbox(
      {
        dataDir,
        path: "/sandbox/orders",
        late: (url) => `; the order may be placed. Look at ${url}`,
        unreadable: "The order is placed, but "
      },
      (client) => client.orders.place({ payload })
    ).pipe(Effect.mapError(userError))
    const nowMs = yield* Clock.currentTimeMillis
    const known = Option.isSome(user) ? ["What the wallet holds from earlier orders counts too."] : []
    yield* Console.log(
      [...placedLines(order), "", ...nextLines(order, nowMs), ...known, "", ...followUpLines(orders, order)].join("\n")
    )
  })
).pipe(
  Command.withDescription("Places an order on the sandbox that runs, as a person and their AI agent would."),
  Command.withExamples([
    { command: "npm run sandbox:order -- --quantity 12 --pay now", description: "Two batches, minted within seconds" },
    { command: "npm run sandbox:order -- --pay late", description: "Cancelled, and the money stays as credit" }
  ])
)

const placedLines = (order: OrderPlaced): ReadonlyArray<string> => [
  `🛒 Order placed: ${mints(order.quantity)} at ${order.pricePerMint.usdc} USDC, ${order.cost.usdc} USDC in all`,
  `   Task:         ${order.taskId}`,
  `   User:         ${order.userAddress} (gets the tokens)`,
  `   Agent wallet: ${order.agentAddress} (gets the money)`,
  `   Token:        ${order.token}`
]

const nextLines = (order: OrderPlaced, nowMs: number): ReadonlyArray<string> => {
  const { cost, deadline, payment, quantity } = order
  const cancelled = `The executor cancels the order at its first check after ${moment(deadline, nowMs)}`
  if (payment.state === "failed") return [`💥 The payment failed: ${payment.problem}`, `${cancelled}.`]
  switch (payment.mode) {
    case "now":
      return [
        `💵 Paid: ${payment.amount.usdc} USDC are in the agent wallet.`,
        `At its next check the executor sees them, and then has ${mints(quantity)} made in batches.`
      ]
    case "half":
      return [
        `💵 Paid: ${payment.amount.usdc} of ${cost.usdc} USDC are in the agent wallet.`,
        `${cancelled},`,
        "unless the rest arrives. What was paid stays as the wallet's credit."
      ]
    case "late":
      return [
        `⏳ Not paid yet: ${payment.amount.usdc} USDC come at ${moment(payment.at ?? deadline, nowMs)}.`,
        `${cancelled}.`,
        "The money comes too late, and stays as the wallet's credit. For this, the sandbox has to run until then."
      ]
    case "never":
      return ["🚫 Nothing is paid.", `${cancelled}.`]
  }
}

const followUpLines = (orders: string, { taskId }: OrderPlaced): ReadonlyArray<string> => [
  "Where to look:",
  `   the log, where the sandbox runs: lines with ${shortId(taskId)}`,
  `   the order and its mints:         curl ${orders}/${taskId}`
]

const mints = (count: number): string => `${count} ${count === 1 ? "mint" : "mints"}`

/** `05:25:30 UTC (in 10m)`: in UTC, as the log has it. */
const moment = (time: Date, nowMs: number): string =>
  `${time.toISOString().slice(11, 19)} UTC (in ${duration(time.getTime() - nowMs)})`

runCommand(command)
