import { Clock, Effect, Layer } from "effect"
import { attention } from "./sql/attention.ts"
import { dueSince } from "./sql/due.ts"
import { eventsAfter, lastEvent } from "./sql/events.ts"
import { figures, funnel, takesWrites } from "./sql/figures.ts"
import { openStatements } from "./sql/statements.ts"
import { storyOf, walletStory } from "./sql/story.ts"
import { listTasks, tasksOf, viewTask } from "./sql/watch.ts"
import { WatchRepo } from "./WatchRepo.ts"

/** What operators look at, in PostgreSQL. Needs the tables: run `migrate` first. */
export const layer = Layer.effect(
  WatchRepo,
  Effect.gen(function* () {
    const { on, bound } = yield* openStatements
    return WatchRepo.of({
      figures: (nowMs) => bound("sum up the ledger", figures(on, nowMs)),
      funnel: (sinceMs) => bound("count orders", funnel(on, sinceMs)),
      listTasks: (filter, page) => bound("list tasks", listTasks(on, filter, page)),
      tasksOf: (userAddress, page) => bound("list tasks", tasksOf(on, userAddress, page)),
      viewTask: (id) => bound("read a task", viewTask(on, id)),
      storyOf: (id) => bound("read all of a task", storyOf(on, id)),
      walletStory: (walletId) => bound("read all of a wallet", walletStory(on, walletId)),
      takesWrites: bound("ask whether the database takes writes", takesWrites(on)),
      dueSince: (nowMs) => bound("read what is due", dueSince(on, nowMs)),
      eventsAfter: (id, page) => bound("read events", eventsAfter(on, id, page)),
      lastEvent: bound("read events", lastEvent(on)),
      attention: (limit) =>
        Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
          bound("read what needs attention", attention(on, limit, nowMs))
        )
    })
  })
)
