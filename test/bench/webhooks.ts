import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Array as Arr, Config, Console, Duration, Effect, Layer, Order, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import * as Deliveries from "../../src/api/webhooks/Deliveries.ts"
import { SecretBox } from "../../src/chain/SecretBox.ts"
import * as SecretBoxAes from "../../src/chain/SecretBoxAes.ts"
import * as LedgerSql from "../../src/ledger/LedgerSql.ts"
import { migrate } from "../../src/ledger/migrate.ts"
import { WebhookId, WebhookRepo } from "../../src/ledger/WebhookRepo.ts"
import * as Logger from "../../src/ops/Logger.ts"
import { clientAt } from "../support/LedgerSql.ts"
import { startPostgres } from "../support/postgresServer.ts"
import { settings } from "../support/settings.ts"
import { messageOf, startProgram } from "./children.ts"

/** `RATE` events a second, each in a transaction of its own, for so long. */
const RATE = 1_000
const SECONDS = 30

/** Events and deliveries of earlier days. */
const PAST = 100_000

const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`
const DECISION = { command: "webhooks add", said: "a bench", why: "a bench", by: "a bench", keyId: undefined }

interface Measured {
  readonly lateMs: ReadonlyArray<number>
  readonly openMost: number
}

const addEndpoint = Effect.fnUntraced(function* (n: number, port: number) {
  const id = WebhookId.make(`0000000${n}-0000-4000-8000-000000000000`)
  const sealedSecret = yield* (yield* SecretBox).seal(Redacted.make(SECRET), id)
  const webhook = { id, url: `http://127.0.0.1:${port}/`, events: ["order.completed"] as const, sealedSecret }
  yield* (yield* WebhookRepo).add({ ...webhook, user: undefined, keyId: undefined }, DECISION, 0)
})

/** The server writes them itself, so that no time of this process goes into it. */
const writeEvents = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) =>
    sql`${sql.literal(`DO $$
    DECLARE began timestamptz := clock_timestamp();
    BEGIN
      FOR n IN 1..${RATE * SECONDS} LOOP
        PERFORM pg_sleep(greatest(0, extract(epoch FROM began + n * interval '${1_000 / RATE} ms' - clock_timestamp())));
        INSERT INTO ai_agent_events (at, kind, task_id, wallet_id, detail)
        VALUES (clock_timestamp(), 'task.completed', gen_random_uuid(), gen_random_uuid(), '{}');
        COMMIT;
      END LOOP;
    END $$`)}`
)

/** A database that has told of things before, and whose planner knows how many. */
const seedPast = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    INSERT INTO ai_agent_events (kind, task_id, wallet_id, detail)
    SELECT 'task.processing', gen_random_uuid(), gen_random_uuid(), '{}' FROM generate_series(1, ${PAST}::int)`
  yield* sql`DELETE FROM ai_agent_webhook_outbox`
  yield* sql`
    INSERT INTO ai_agent_webhook_deliveries (webhook_id, event_id, type, body, state, next_at, created_at)
    SELECT w.id, -n, 'order.completed', repeat('x', 300), 'delivered', now(), now()
    FROM ai_agent_webhooks w, generate_series(1, ${PAST}::int) n`
  yield* sql`VACUUM ANALYZE`
})

const percentile = (sorted: ReadonlyArray<number>, part: number) => sorted[Math.floor(sorted.length * part)] ?? 0

const bench = Effect.gen(function* () {
  const withDead = yield* Config.Boolean("DEAD").pipe(Config.withDefault(true))
  const well = yield* startProgram("webhookReceiver")
  yield* addEndpoint(1, (yield* messageOf<{ readonly port: number }>(well)).port)
  const dead = yield* startProgram("webhookReceiver", "silent")
  const { port } = yield* messageOf<{ readonly port: number }>(dead)
  if (withDead) yield* addEndpoint(2, port)
  yield* seedPast
  yield* Layer.build(Deliveries.layer)
  const before = process.cpuUsage()
  const [took] = yield* Effect.timed(writeEvents)
  // What was written last has the time that it takes.
  yield* Effect.sleep("3 seconds")
  const { user, system } = process.cpuUsage(before)
  const ask = (child: typeof well) => {
    child.send("done")
    return messageOf<Measured>(child)
  }
  const { lateMs } = yield* ask(well)
  const sorted = Arr.sort(lateMs, Order.Number)
  const cpuMs = (user + system) / 1_000
  yield* Console.log(
    `${RATE * SECONDS} events in ${Duration.format(took)}; ${sorted.length} delivered; ` +
      `p50 ${percentile(sorted, 0.5)} ms, p99 ${percentile(sorted, 0.99)} ms, max ${sorted.at(-1)} ms; ` +
      `processor ${(cpuMs / sorted.length).toFixed(2)} ms each; ` +
      `dead endpoint: ${withDead ? `${(yield* ask(dead)).openMost} requests at once at most` : "none"}`
  )
})

const main = Effect.gen(function* () {
  const { url } = yield* Effect.acquireRelease(
    Effect.promise(() => startPostgres({ autovacuum: "on" })),
    ({ stop }) => Effect.promise(stop)
  )
  const given = settings({ logLevel: "None" })
  yield* Effect.scoped(bench).pipe(
    Effect.provide(
      Layer.mergeAll(LedgerSql.layer, SecretBoxAes.layer, Logger.layer).pipe(
        Layer.provideMerge(Layer.effectDiscard(migrate)),
        Layer.provideMerge(clientAt(`${url}/postgres`)),
        Layer.provideMerge(given)
      )
    )
  )
}).pipe(Effect.scoped)

NodeRuntime.runMain(main)
