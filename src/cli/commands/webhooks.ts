import { Effect } from "effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { DELIVERY_STATES, WEBHOOK_EVENTS } from "../../domain/webhooks.ts"
import { Operator } from "../../operator/Operator.ts"
import { DeliveryList, Sent, WebhookList, WebhookRemoved, WebhookSecret } from "../../operator/reports/webhooks.ts"
import * as Input from "../flags.ts"
import { Ended, EXIT } from "../io.ts"
import { onExecutor } from "../layers.ts"
import { printer, reporting } from "../print.ts"
import {
  deliveriesWords,
  sentWords,
  webhookRemovedWords,
  webhookSecretWords,
  webhooksWords
} from "../words/webhooks.ts"

const webhook = Argument.String("webhook").pipe(
  Argument.withDescription("The webhook: its id, or the first eight digits of it")
)

const json = { json: Input.json }

const addCommand = Command.make(
  "add",
  {
    url: Argument.String("url").pipe(Argument.withDescription("Where messages are posted: https://…")),
    events: Flag.String("events").pipe(
      Flag.withDescription(`The events that are sent to it, with commas between: ${WEBHOOK_EVENTS.join(", ")}`)
    ),
    ...json
  },
  reporting(WebhookSecret, webhookSecretWords, ({ addWebhook }, { url, events }) =>
    addWebhook({ url, events: events.split(",").map((event) => event.trim()) })
  )
).pipe(
  onExecutor,
  Command.withDescription("Adds an endpoint that gets events from now on. Shows its secret, this once."),
  Command.withExamples([
    {
      command: "ai-mint webhooks add https://example.com/hooks --events order.completed,order.failed",
      description: "How orders end"
    }
  ])
)

const listCommand = Command.make(
  "list",
  json,
  reporting(WebhookList, webhooksWords, ({ listWebhooks }) => listWebhooks)
).pipe(onExecutor, Command.withDescription("The endpoints, and what waits for them."))

const printSent = printer(Sent, sentWords)

const testCommand = Command.make(
  "test",
  { webhook, ...json },
  Effect.fnUntraced(function* ({ webhook: name, json: isJson }) {
    const sent = yield* (yield* Operator).testWebhook(name)
    yield* printSent(sent, isJson)
    if (sent.delivery.state !== "delivered") return yield* new Ended({ code: EXIT.refused })
  })
).pipe(
  onExecutor,
  Command.withDescription("Sends a message webhook.test, and says what became of it. Not delivered is exit code 1.")
)

const deliveriesCommand = Command.make(
  "deliveries",
  {
    webhook: Argument.optional(webhook),
    state: Flag.Literals("state", DELIVERY_STATES).pipe(Flag.optional, Flag.withDescription("Only these")),
    ...json
  },
  reporting(DeliveryList, deliveriesWords, ({ listDeliveries }, { webhook: name, state }) =>
    listDeliveries(Input.given({ webhook: name, state }))
  )
).pipe(onExecutor, Command.withDescription("The newest messages of one endpoint or all, and what became of them."))

const redeliverCommand = Command.make(
  "redeliver",
  {
    delivery: Argument.String("delivery").pipe(
      Argument.withDescription("The delivery: its id, or the first eight digits of it")
    ),
    ...json
  },
  reporting(Sent, sentWords, ({ redeliver }, { delivery }) => redeliver(delivery))
).pipe(onExecutor, Command.withDescription("Sends a message again, under the same id, delivered or not."))

const rotateCommand = Command.make(
  "rotate",
  { webhook, ...json },
  reporting(WebhookSecret, webhookSecretWords, ({ rotateWebhook }, { webhook: name }) => rotateWebhook(name))
).pipe(onExecutor, Command.withDescription("Gives an endpoint a new secret. For a day the one before signs too."))

const removeCommand = Command.make(
  "remove",
  { webhook, ...json },
  reporting(WebhookRemoved, webhookRemovedWords, ({ removeWebhook }, { webhook: name }) => removeWebhook(name))
).pipe(onExecutor, Command.withDescription("Sends nothing more to an endpoint."))

export const webhooksCommand = Command.make("webhooks").pipe(
  Command.withDescription("Sends events to other programs, as signed messages (Standard Webhooks)."),
  Command.withSubcommands([
    addCommand,
    listCommand,
    testCommand,
    deliveriesCommand,
    redeliverCommand,
    rotateCommand,
    removeCommand
  ])
)
