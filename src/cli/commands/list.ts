import { Effect, Option } from "effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { Status, type TaskList } from "../../operator/reports/tasks.ts"
import { PAGE_MAX, type TaskQuery } from "../../operator/requests.ts"
import { listTasks } from "../../api/questions.ts"
import { LOOK_OR_DIRECT } from "../client/ask.ts"
import * as Input from "../flags.ts"
import * as Form from "../forms.ts"
import type { Kit } from "../Kit.ts"

/** With `--all`: more is a question for SQL. */
const ALL_MAX = 10_000

type Query = typeof TaskQuery.Type

const statusFlag = Flag.String("status").pipe(
  Flag.filter(
    (text) => text.split(",").every((one) => Status.literals.some((status) => status === one)),
    () => `statuses with commas between them, of ${Status.literals.join(", ")}`
  ),
  Flag.optional,
  Flag.withDescription(`Only these, with commas between them: ${Status.literals.join(", ")}`)
)

const input = {
  status: statusFlag,
  user: Input.addressFlag("user").pipe(Flag.optional, Flag.withDescription("Only the orders of this person: 0x…")),
  token: Input.addressFlag("token").pipe(Flag.optional, Flag.withDescription("Only orders of this token: 0x…")),
  wallet: Flag.String("wallet").pipe(
    Flag.optional,
    Flag.withDescription("Only the orders of this agent wallet (its id, its user's address, or its own)")
  ),
  held: Flag.Boolean("held").pipe(Flag.withDefault(false), Flag.withDescription("Only what waits for a person")),
  limit: Flag.Int("limit").pipe(
    Flag.filter(
      (n) => n >= 1 && n <= PAGE_MAX,
      () => `1 to ${PAGE_MAX}`
    ),
    Flag.optional,
    Flag.withDescription(`How many: 1 to ${PAGE_MAX}. Default: 50`)
  ),
  cursor: Flag.String("cursor").pipe(
    Flag.optional,
    Flag.withDescription("Goes on behind the page before, which told this")
  ),
  all: Flag.Boolean("all").pipe(
    Flag.withDefault(false),
    Flag.withDescription(`All pages, up to ${ALL_MAX} orders, instead of one`)
  ),
  direct: Input.direct,
  json: Input.json
}

export const listCommand = <E>(kit: Kit<E>) =>
  Command.make(
    "list",
    input,
    Effect.fnUntraced(function* ({ all, json, direct, ...filter }) {
      const { next } = yield* kit.tell(pages(readerOf(kit, direct), queryOf(filter), all), Form.taskList, json)
      if (next !== undefined && !json) kit.io.err(`There are more. The next page: --cursor ${next}`)
    })
  ).pipe(
    Command.withDescription("Orders, newest first."),
    Command.withExamples([
      { command: "ai-mint tasks list --held", description: "What waits for a person" },
      { command: "ai-mint tasks list --status funded,processing --user 0x…", description: "Paid orders of one person" },
      { command: "ai-mint tasks list --all --json > orders.json", description: "All of them, for a program" }
    ])
  )

/** What was given of them: a query has no key for what was not. */
const queryOf = ({ held, ...rest }: Filter): Query => ({
  ...(held ? { held: "true" } : {}),
  ...given("status", rest.status),
  ...given("user", rest.user),
  ...given("token", rest.token),
  ...given("wallet", rest.wallet),
  ...given("limit", rest.limit),
  ...given("cursor", rest.cursor)
})

type Filter = { readonly held: boolean; readonly limit: Option.Option<number> } & {
  readonly [K in "status" | "user" | "token" | "wallet" | "cursor"]: Option.Option<string>
}

const given = <K extends string, A>(key: K, value: Option.Option<A>): { readonly [P in K]?: A } =>
  Option.isSome(value) ? ({ [key]: value.value } as { readonly [P in K]: A }) : {}

/** Reads a page, through the running executor or straight from the database. */
const readerOf = <E>({ ways }: Kit<E>, direct: boolean) => {
  const through = (query: Query) => ways.ask(({ tasks }) => tasks.list({ query }), LOOK_OR_DIRECT)
  const straight = (query: Query) => ways.direct(listTasks(query))
  return (query: Query): Effect.Effect<TaskList, Effect.Error<ReturnType<typeof through | typeof straight>>> =>
    direct ? straight(query) : through(query)
}

/** One page, or all of them as one. */
const pages = Effect.fnUntraced(function* <E>(
  ask: (query: Query) => Effect.Effect<TaskList, E>,
  query: Query,
  all: boolean
) {
  if (!all) return yield* ask(query)
  const tasks: Array<TaskList["tasks"][number]> = []
  let next = query.cursor
  do {
    const page: TaskList = yield* ask({ ...query, limit: PAGE_MAX, ...(next === undefined ? {} : { cursor: next }) })
    tasks.push(...page.tasks)
    next = page.next
  } while (next !== undefined && tasks.length < ALL_MAX)
  return { tasks, next } satisfies TaskList
})
