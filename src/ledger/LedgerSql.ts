import { Context, Effect, Layer } from "effect"
import { DecisionRepo } from "./DecisionRepo.ts"
import { orderDecisions } from "./sql/decisions/orders.ts"
import { batchDecisions } from "./sql/decisions/batches.ts"
import { moneyDecisions } from "./sql/decisions/money.ts"
import { limitDecisions } from "./sql/decisions/limits.ts"
import { pauseDecisions } from "./sql/decisions/pauses.ts"
import { payInDecisions } from "./sql/decisions/payIns.ts"
import { quotes } from "./sql/decisions/quotes.ts"
import { decisionReads } from "./sql/decisions/reads.ts"
import { keys } from "./sql/keys.ts"
import { methodsOn, openLedger } from "./sql/statements.ts"
import { chain } from "./sql/tasks/chain.ts"
import { deposits } from "./sql/tasks/deposits.ts"
import { holds } from "./sql/tasks/holds.ts"
import { pages } from "./sql/tasks/pages.ts"
import { payIns } from "./sql/tasks/payIns.ts"
import { steps } from "./sql/tasks/steps.ts"
import { sweep } from "./sql/tasks/sweep.ts"
import { wallets } from "./sql/tasks/wallets.ts"
import { work } from "./sql/tasks/work.ts"
import { attention } from "./sql/watch/attention.ts"
import { events } from "./sql/watch/events.ts"
import { figures } from "./sql/watch/figures.ts"
import { journal } from "./sql/watch/journal.ts"
import { lists } from "./sql/watch/lists.ts"
import { stories } from "./sql/watch/stories.ts"
import { KeyRepo } from "./KeyRepo.ts"
import { deliveries } from "./sql/webhooks/deliveries.ts"
import { endpoints } from "./sql/webhooks/endpoints.ts"
import { outbox } from "./sql/webhooks/outbox.ts"
import { TaskRepo } from "./TaskRepo.ts"
import { WatchRepo } from "./WatchRepo.ts"
import { WebhookRepo } from "./WebhookRepo.ts"

const tasks = { ...pages, ...payIns, ...deposits, ...wallets, ...sweep, ...holds, ...work, ...steps, ...chain }
const decided = {
  ...orderDecisions,
  ...batchDecisions,
  ...moneyDecisions,
  ...pauseDecisions,
  ...payInDecisions,
  ...limitDecisions,
  ...quotes,
  ...decisionReads
}
const webhooks = { ...endpoints, ...deliveries, ...outbox }
const watched = { ...figures, ...lists, ...stories, ...events, ...attention, ...journal }

/** The repos in PostgreSQL. They need the tables: run `migrate` first. */
export const layer = Layer.effectContext(
  Effect.map(openLedger, (on) =>
    Context.make(TaskRepo, methodsOn(on, tasks)).pipe(
      Context.add(DecisionRepo, methodsOn(on, decided)),
      Context.add(WatchRepo, methodsOn(on, watched)),
      Context.add(KeyRepo, methodsOn(on, keys)),
      Context.add(WebhookRepo, methodsOn(on, webhooks))
    )
  )
)
