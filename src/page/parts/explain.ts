import type { ExplanationJson, TaskJson } from "../../operator/reports/tasks.ts"
import { type Child, el } from "../dom.ts"
import { count, duration, relative, shortId, usdc } from "../format.ts"
import { hashOfListing, isFieldValue } from "../listing.ts"
import type { Opened } from "../state.ts"
import { ago, clockTime, command, copyButton, heldChip, shortened, stateChip, transaction } from "./components.ts"
import { batchTable } from "./batches.ts"
import { mintProgress, received } from "./orders.ts"
import { timeline } from "./timeline.ts"

const fact = (name: string, ...value: ReadonlyArray<Child>): HTMLElement =>
  el("div", { class: "fact" }, el("dt", {}, name), el("dd", {}, ...value))

const amount = (baseUnits: string): HTMLElement => el("span", { class: "amount" }, `${usdc(baseUnits)} USDC`)

const deadline = ({ createdAt, deadline: end }: TaskJson, nowMs: number): Child => {
  if (end === null) return null
  const whole = createdAt === null ? "" : ` of ${duration(Date.parse(end) - Date.parse(createdAt))}`
  return [clockTime(end), el("span", { class: "muted" }, ` ${relative(Date.parse(end), nowMs)}${whole}`)]
}

const facts = (task: TaskJson, explorer: string | null, nowMs: number): HTMLElement =>
  el(
    "dl",
    { class: "facts" },
    fact("Mints", mintProgress(task)),
    fact(
      "Cost",
      received(task),
      amount(task.totalCost),
      el("span", { class: "muted" }, ` ${usdc(task.pricePerMint)} each`)
    ),
    fact(
      "User",
      shortened(task.userAddress, "the user's address"),
      isFieldValue("find", task.userAddress)
        ? el("a", { href: hashOfListing({ find: task.userAddress }) }, "all orders")
        : null
    ),
    fact("Pays to", task.agentAddress === null ? "?" : shortened(task.agentAddress, "the agent wallet's address")),
    fact("Token", shortened(task.tokenAddress, "the token's address")),
    task.fundingTx === null ? null : fact("Paid by", transaction(task.fundingTx, explorer)),
    task.createdAt === null ? null : fact("Created", clockTime(task.createdAt), " ", ago(task.createdAt, nowMs)),
    task.status === "pending_payment" ? fact("Deadline", deadline(task, nowMs)) : null,
    task.completedAt === null ? null : fact("Closed", clockTime(task.completedAt), " ", ago(task.completedAt, nowMs))
  )

const wallet = ({ money }: ExplanationJson): HTMLElement =>
  el(
    "dl",
    { class: "facts" },
    fact(
      "On chain",
      money.onChain === null ? el("span", { class: "bad" }, "the chain does not answer") : amount(money.onChain),
      money.block === null ? null : el("span", { class: "muted" }, ` block ${count(Number(money.block))}`)
    ),
    fact("Reserved", amount(money.reserved)),
    money.received === null ? null : fact("Received", amount(money.received)),
    fact("Still to be paid", amount(money.needed))
  )

const next = ({ next: { text, at, commands } }: ExplanationJson, nowMs: number): HTMLElement =>
  el(
    "div",
    { class: "next" },
    el("p", {}, text, at === null ? null : [" ", el("span", { class: "muted" }, ago(at, nowMs))]),
    commands.length === 0
      ? null
      : el(
          "ul",
          { class: "commands" },
          commands.map((one) => el("li", {}, command(one)))
        )
  )

/** The same for programs, word for word as the API has it. */
const nextWords = ({ task }: ExplanationJson): HTMLElement =>
  el(
    "dl",
    { class: "facts words" },
    fact("paymentState", el("code", {}, task.paymentState)),
    fact("nextAction", el("code", {}, task.nextAction)),
    task.amountDue === null || task.amountDue === "0" ? null : fact("amountDue", amount(task.amountDue)),
    task.payTo === null ? null : fact("payTo", shortened(task.payTo, "the address to pay to")),
    task.payBy === null ? null : fact("payBy", clockTime(task.payBy)),
    task.checkAgainAfterSeconds === null
      ? null
      : fact("checkAgainAfterSeconds", el("code", {}, String(task.checkAgainAfterSeconds)))
  )

const section = (title: string, ...content: ReadonlyArray<Child>): HTMLElement =>
  el("section", { "data-key": title }, el("h3", {}, title), ...content)

const sections = (explanation: ExplanationJson, explorer: string | null, nowMs: number): ReadonlyArray<HTMLElement> => [
  el("p", { class: "summary", "data-key": "summary" }, explanation.summary),
  section("What happens next", next(explanation, nowMs)),
  section("Order", facts(explanation.task, explorer, nowMs)),
  section("Money of its wallet", wallet(explanation)),
  section("What the API says to programs", nextWords(explanation)),
  section("What happened", timeline(explanation.steps, explorer)),
  ...(explanation.batches.length === 0 ? [] : [section("Payments", batchTable(explanation.batches, explorer))])
]

/** The id of the open order, and its state. */
export const explainTitle = ({ named, explanation }: Opened): ReadonlyArray<Child> => {
  const task = explanation?.task
  const id = task?.id ?? named
  return [
    el("span", {}, "Order ", el("span", { class: "mono" }, shortId(id))),
    task === undefined ? null : copyButton(task.id, "the order's whole id"),
    task === undefined ? null : stateChip(task.status),
    task === undefined || task.held === null ? null : heldChip()
  ]
}

/** Everything that answers "I paid, where are my tokens?". */
export const explainPanel = (opened: Opened, explorer: string | null, nowMs: number): ReadonlyArray<Child> => [
  opened.problem === undefined ? null : el("p", { class: "banner trouble", "data-key": "problem" }, opened.problem),
  opened.explanation === undefined
    ? opened.problem === undefined && el("p", { class: "calm", "data-key": "asking" }, "Looking at ledger and chain…")
    : sections(opened.explanation, explorer, nowMs)
]
