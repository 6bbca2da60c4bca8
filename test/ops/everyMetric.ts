import { Effect, Metric } from "effect"
import { readFileSync } from "node:fs"
import * as ChainMetrics from "../../src/chain/metrics.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { type Minter, NoOffer } from "../../src/mint/Minter.ts"
import * as MintMetrics from "../../src/mint/metrics.ts"
import { showFigures } from "../../src/ops/ledgerGauges.ts"
import * as Metrics from "../../src/ops/metrics.ts"
import * as WebhookMetrics from "../../src/ops/webhookMetrics.ts"
import type { LedgerFigures } from "../../src/ledger/WatchRepo.ts"
import { order, payment } from "../mint/fixtures.ts"
import { settings } from "../support/settings.ts"

const SOURCES = [
  "chain/metrics.ts",
  "mint/metrics.ts",
  "ops/metrics.ts",
  "ops/ledgerGauges.ts",
  "ops/webhookMetrics.ts"
]

/** The metrics that a source text names: whole names, and the stems of those with `…_oldest_age_seconds` beside them. */
export const namedInSources: ReadonlyArray<string> = SOURCES.flatMap((path) => {
  const text = readFileSync(new URL(`../../src/${path}`, import.meta.url), "utf8")
  return [...text.matchAll(/"(ai_mint_[a-z_]+)"/g)].map(([, name = ""]) => name)
})

const none = { count: 0, sinceMs: undefined }

/** A ledger without a row. */
export const emptyFigures: LedgerFigures = {
  tasks: [],
  batches: [],
  unknown: none,
  undelivered: none,
  held: none,
  stoppedWallets: none,
  limited: none,
  money: { deposited: usdc(0n), paid: usdc(0n), refunded: usdc(0n), credit: usdc(0n) },
  dueSinceMs: undefined
}

/** A mint server that sells to nobody and knows nothing. */
export const sullen: Minter["Service"] = {
  quote: () => new NoOffer({ reason: "Refused", message: "not for sale" }),
  pay: () => Effect.succeed({ _tag: "Refused", reason: "no" }),
  asksForPrice: true,
  takesAgain: true,
  follow: () => Effect.succeed(undefined),
  ping: Effect.succeed({ tookMs: 1, problem: undefined })
}

/** Runs with metrics of its own: what other tests of the file counted is not in them. */
export const alone = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => Effect.provideService(effect, Metric.MetricRegistry, new Map()))

/** Everything that the metric modules can count, once. */
export const everyMetric = Effect.gen(function* () {
  yield* Effect.provide(Metrics.processBegan, settings())
  yield* Metrics.loopBegan("check")
  yield* Metrics.tickEnded("check", "done", 10)
  for (const stage of ["read", "balances", "deposits", "decide", "write"] as const) yield* Metrics.stageEnded(stage, 10)
  yield* Metrics.sweepChecked(1)
  yield* Metrics.turnEnded(10)
  yield* Metrics.actorsNow(1)
  yield* Metrics.sharedNow({ runners: 1, parts: 32 })
  yield* Metrics.placesNow({ limit: 1, taken: 1, waiting: 1 })
  yield* Metrics.walletParked
  yield* Metrics.reorganisationSeen
  yield* Metrics.tokenRefused
  yield* Metrics.outageSeen(true)
  yield* Metrics.outageOver
  yield* Metrics.incidentsNow([])
  yield* ChainMetrics.measureCall("node.example")(Effect.void)
  yield* ChainMetrics.countRetry
  yield* ChainMetrics.subscriptionBegan("node.example")
  yield* ChainMetrics.announced("node.example")
  const { quote, pay, follow } = MintMetrics.measureMinter(sullen, ["quote", "pay", "follow"])
  yield* Effect.ignore(quote(order))
  yield* pay(order, { offers: [], challenge: undefined }, OFFER, payment)
  yield* follow("reference")
  yield* WebhookMetrics.attemptsBegan
  yield* WebhookMetrics.backlogNow({ waiting: 0, dueSinceMs: undefined })
  yield* showFigures(emptyFigures, 0)
  return yield* Metric.snapshot
}).pipe(alone)

const OFFER = { scheme: "exact", network: "", asset: "", payTo: "", amount: usdc(0n), maxTimeoutSeconds: 60 }
