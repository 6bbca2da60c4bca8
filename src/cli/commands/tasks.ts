import { Effect, Schema } from "effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { QUANTITY_MAX, STATUSES } from "../../domain/Task.ts"
import { Operator, type OperatorError } from "../../operator/Operator.ts"
import { Created, Quoted } from "../../operator/reports/decisions.ts"
import { Explanation, TaskList, TaskReport } from "../../operator/reports/tasks.ts"
import { PAGE_MAX, type TaskQuery } from "../../operator/requests.ts"
import * as Input from "../flags.ts"
import { Io } from "../io.ts"
import { onExecutor, onOperator } from "../layers.ts"
import { printer, reporting } from "../print.ts"
import { createdWords, quotedWords } from "../words/decisions.ts"
import { explanationWords } from "../words/explain.ts"
import { taskListWords, taskWords } from "../words/tasks.ts"
import { adoptCommand, cancelCommand, resolveCommand, retryCommand } from "./decisions.ts"

const one = { task: Input.task, direct: Input.direct, json: Input.json }

const showCommand = Command.make(
  "show",
  one,
  reporting(TaskReport, taskWords, ({ showTask }, { task }) => showTask(task))
).pipe(onOperator, Command.withDescription("The row of an order."))

export const explainCommand = Command.make(
  "explain",
  one,
  reporting(Explanation, explanationWords, ({ explainTask }, { task }) => explainTask(task))
).pipe(
  onOperator,
  Command.withDescription(
    '"I paid, where are my tokens?": all that happened to an order, its money, and what happens next.'
  ),
  Command.withExamples([{ command: "ai-mint explain abc12345" }])
)

export const quoteCommand = Command.make(
  "quote",
  {
    user: Input.addressFlag("user").pipe(Flag.withDescription("The person, who must have an agent wallet: 0x…")),
    token: Input.addressFlag("token").pipe(Flag.withDescription("The contract of the token: 0x…")),
    quantity: Input.upTo("quantity", QUANTITY_MAX).pipe(Flag.withDescription(`How many mints: 1 to ${QUANTITY_MAX}`)),
    json: Input.json
  },
  reporting(Quoted, quotedWords, ({ quote }, { user, token, quantity }) => quote({ user, token, quantity }))
).pipe(onExecutor, Command.withDescription("What an order would cost now. Nothing is ordered or paid."))

const isUuid = Schema.is(Schema.String.check(Schema.isUUID()))

const createCommand = Command.make(
  "create",
  {
    userAddress: Input.addressFlag("user").pipe(Flag.withDescription("The person, who must have an agent wallet: 0x…")),
    tokenAddress: Input.addressFlag("token").pipe(Flag.withDescription("The contract of the token: 0x…")),
    quantity: Input.upTo("quantity", QUANTITY_MAX).pipe(Flag.withDescription(`How many mints: 1 to ${QUANTITY_MAX}`)),
    pricePerMint: Input.amountFlag("price").pipe(
      Flag.optional,
      Flag.withDescription("The most that a mint may cost, in USDC like 2.5. Default: what the mint server asks now")
    ),
    quoteId: Flag.String("quote").pipe(
      Flag.filter(isUuid, () => "the id of a quote"),
      Flag.optional,
      Flag.withDescription("At the price of this quote: see ai-mint quote")
    ),
    id: Flag.String("id").pipe(
      Flag.filter(isUuid, () => "a UUID"),
      Flag.optional,
      Flag.withDescription("A UUID of your own: the same command twice then makes one order")
    ),
    json: Input.json
  },
  reporting(Created, createdWords, ({ create }, { id, pricePerMint, quoteId, userAddress, tokenAddress, quantity }) =>
    create({ userAddress, tokenAddress, quantity, ...Input.given({ id, pricePerMint, quoteId }) })
  )
).pipe(
  onExecutor,
  Command.withDescription("Places an order for a person who has an agent wallet, and tells where they pay."),
  Command.withExamples([{ command: "ai-mint tasks create --user 0x… --token 0x… --quantity 10 --price 1" }])
)

/** With `--all`: more is a question for SQL. */
const ALL_MAX = 10_000

const printList = printer(TaskList, taskListWords)

const listCommand = Command.make(
  "list",
  {
    status: Flag.String("status").pipe(
      Flag.filter(
        (text) => text.split(",").every((one) => STATUSES.some((status) => status === one)),
        () => `statuses with commas between them, of ${STATUSES.join(", ")}`
      ),
      Flag.optional,
      Flag.withDescription(`Only these, with commas between them: ${STATUSES.join(", ")}`)
    ),
    user: Input.addressFlag("user").pipe(Flag.optional, Flag.withDescription("Only the orders of this person: 0x…")),
    token: Input.tokenOnly,
    wallet: Input.walletOnly,
    tx: Input.transactionOnly,
    from: Input.momentFlag("from").pipe(
      Flag.optional,
      Flag.withDescription("Only orders placed then or later, in UTC")
    ),
    to: Input.momentFlag("to").pipe(Flag.optional, Flag.withDescription("Only orders placed before that, in UTC")),
    held: Flag.Boolean("held").pipe(Flag.withDefault(false), Flag.withDescription("Only what waits for a person")),
    limit: Input.upTo("limit", PAGE_MAX).pipe(
      Flag.optional,
      Flag.withDescription(`How many: 1 to ${PAGE_MAX}. Default: 50`)
    ),
    cursor: Flag.String("cursor").pipe(
      Flag.optional,
      Flag.withDescription("Goes on behind the page before, which named it")
    ),
    all: Flag.Boolean("all").pipe(
      Flag.withDefault(false),
      Flag.withDescription(`All pages, up to ${ALL_MAX} orders, instead of one`)
    ),
    direct: Input.direct,
    json: Input.json
  },
  Effect.fnUntraced(function* ({ all, json, held, status, user, token, wallet, tx, from, to, limit, cursor }) {
    const { listTasks } = yield* Operator
    const query: TaskQuery = {
      ...(held ? { held: "true" } : {}),
      ...Input.given({ status, user, token, wallet, tx, from, to, limit, cursor })
    }
    const list = yield* all ? everyPage(listTasks, query) : listTasks(query)
    yield* printList(list, json)
    if (list.next !== undefined && !json) (yield* Io).err(`There are more. The next page: --cursor ${list.next}`)
  })
).pipe(
  onOperator,
  Command.withDescription("Orders, newest first."),
  Command.withExamples([
    { command: "ai-mint tasks list --held", description: "What waits for a person" },
    { command: "ai-mint tasks list --status funded,processing --user 0x…", description: "Paid orders of one person" },
    { command: "ai-mint tasks list --tx 0x…", description: "Whose transaction it is" },
    { command: "ai-mint tasks list --all --json > orders.json", description: "All of them, for a program" }
  ])
)

/** All pages as one. */
const everyPage = Effect.fnUntraced(function* (
  list: (query: TaskQuery) => Effect.Effect<TaskList, OperatorError>,
  query: TaskQuery
) {
  const tasks: Array<TaskReport> = []
  let next = query.cursor
  do {
    const page: TaskList = yield* list({ ...query, limit: PAGE_MAX, ...(next === undefined ? {} : { cursor: next }) })
    tasks.push(...page.tasks)
    next = page.next
  } while (next !== undefined && tasks.length < ALL_MAX)
  return { tasks, next } satisfies TaskList as TaskList
})

export const tasksCommand = Command.make("tasks").pipe(
  Command.withDescription("Orders: what became of them, and what a person decides about them."),
  Command.withSubcommands([
    listCommand,
    showCommand,
    explainCommand,
    createCommand,
    cancelCommand,
    retryCommand,
    adoptCommand,
    resolveCommand
  ])
)
