import type { Card, DeliveryJson, WebhookJson, Webhooks } from "../cards.ts"
import { type Child, el } from "../dom.ts"
import { count, plural, shortId } from "../format.ts"
import { card, cardRow } from "./cards.ts"
import { ago, command, shortened, stateChip, table } from "./components.ts"

const HEADS = ["Webhook", "State", "Events", "Delivered", "Waiting", "Given up"]

/** Of each endpoint; the command lists all. */
const FAILURES_MAX = 3

const stateOf = ({ ended }: WebhookJson, failures: ReadonlyArray<DeliveryJson>): string =>
  ended !== null ? "ended" : failures.some(({ state }) => state === "waiting") ? "failing" : "delivering"

/** To an endpoint that has ended nothing is sent again: a new one is added in its place. */
const failure = (
  { id, type, state, attempts, lastError, nextAt }: DeliveryJson,
  hasEnded: boolean,
  nowMs: number
): HTMLElement =>
  el(
    "li",
    { "data-key": id },
    `${type}: ${lastError ?? "not delivered"}. ${plural(attempts, "attempt")}, `,
    state === "given_up"
      ? hasEnded
        ? "given up"
        : ["given up ", command(`webhooks redeliver ${shortId(id)}`)]
      : nextAt === null
        ? "one is under way"
        : ["the next ", ago(nextAt, nowMs)]
  )

const trouble = (
  { id, ended }: WebhookJson,
  failures: ReadonlyArray<DeliveryJson>,
  nowMs: number
): ReadonlyArray<HTMLElement> => {
  if (ended === null && failures.length === 0) return []
  const more = failures.length - FAILURES_MAX
  return [
    el(
      "tr",
      { class: "reason", role: "row", "data-key": `${id} trouble` },
      el(
        "td",
        { role: "cell", colspan: HEADS.length },
        ended === null ? null : el("p", {}, "Ended ", ago(ended.at, nowMs), `: ${ended.reason}`),
        el(
          "ul",
          { class: "failures" },
          failures.slice(0, FAILURES_MAX).map((one) => failure(one, ended !== null, nowMs)),
          more > 0
            ? el(
                "li",
                { "data-key": "more" },
                `and ${count(more)} more `,
                command(`webhooks deliveries ${shortId(id)}`)
              )
            : null
        )
      )
    )
  ]
}

const row = (webhook: WebhookJson, failures: ReadonlyArray<DeliveryJson>, nowMs: number): HTMLElement =>
  cardRow(HEADS, webhook.id, [
    [
      el("span", { class: "url" }, webhook.url),
      " ",
      el("span", { class: "mono muted", title: webhook.id }, shortId(webhook.id))
    ],
    stateChip(stateOf(webhook, failures)),
    [
      webhook.events.join(", "),
      webhook.user === null
        ? null
        : [el("span", { class: "muted" }, " of "), shortened(webhook.user, "the person's address")]
    ],
    webhook.deliveredAt === null ? "nothing yet" : ago(webhook.deliveredAt, nowMs),
    count(webhook.waiting),
    el("span", webhook.givenUp === 0 ? {} : { class: "bad" }, count(webhook.givenUp))
  ])

const shown = ({ webhooks: all, failures }: Webhooks, nowMs: number): ReadonlyArray<Child> => {
  if (all.length === 0) {
    return [
      el(
        "p",
        { class: "calm", "data-key": "none" },
        "No webhook is set up. ",
        el("code", {}, "ai-mint webhooks add <url> --events order.completed,order.failed,attention.opened")
      )
    ]
  }
  const rows = all.flatMap((webhook) => {
    const its = failures.filter(({ webhookId }) => webhookId === webhook.id)
    return [row(webhook, its, nowMs), ...trouble(webhook, its, nowMs)]
  })
  return [table({ name: "Webhooks", style: "card", heads: HEADS, rows })]
}

/** The endpoints that events are sent to, and what did not arrive. */
export const webhooks = (of: Card<Webhooks>, nowMs: number): ReadonlyArray<Child> =>
  card(of, (value) => shown(value, nowMs))
