import { assert, describe, it, layer } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Ref } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { TestClock } from "effect/testing"
import { AfterRpcCall } from "../../src/chain/ChainClient.ts"
import { NodeFault } from "../../src/chain/classify.ts"
import { largest } from "../../src/chain/pageSize.ts"
import { makeRpc } from "../../src/chain/rpc.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { every } from "../../src/executor/loops.ts"
import { NoOffer, type PaymentAnswer } from "../../src/mint/Minter.ts"
import * as ChainMetrics from "../../src/chain/metrics.ts"
import * as MintMetrics from "../../src/mint/metrics.ts"
import { measureMinter } from "../../src/mint/metrics.ts"
import { showFigures } from "../../src/ops/ledgerGauges.ts"
import { countEvent } from "../../src/ops/metrics.ts"
import type { LedgerEvent } from "../../src/ledger/WatchRepo.ts"
import * as Metrics from "../../src/ops/metrics.ts"
import * as Progress from "../../src/ops/Progress.ts"
import { version } from "../../src/ops/process.ts"
import { order, payment } from "../mint/fixtures.ts"
import { log, onWorld, pass, start } from "../support/executor.ts"
import { paidOrder } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { settings } from "../support/settings.ts"
import { alone, emptyFigures, everyMetric, namedInSources, sullen } from "./everyMetric.ts"
import { effects } from "../support/stories.ts"

const test = effects(it, alone)

/** What Prometheus gets: one line for each series, comments left out. */
const scraped = Effect.map(PrometheusMetrics.format(), (text) =>
  text.split("\n").filter((line) => line !== "" && !line.startsWith("#"))
)

/** The lines of one metric. */
const linesOf = (name: string) =>
  Effect.map(scraped, (lines) => lines.filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `)))

const logging = log.pipe(Layer.provideMerge(settings()))

describe("every metric", () => {
  test("has a description, the prefix, and a name in base units", function* () {
    for (const { id, type, description } of yield* everyMetric) {
      assert.match(id, /^ai_mint_[a-z_]+$/)
      assert.match(description ?? "", /^\S.{10,}$/, id)
      assert.strictEqual(id.endsWith("_total"), type === "Counter", id)
      if (type === "Histogram") assert.match(id, /_seconds$/)
      assert.notMatch(id, /_(ms|millis|milliseconds|minutes)$/)
    }
  })

  test("has labels with few values: no address, task, transaction, token or amount", function* () {
    const labels = (yield* everyMetric).flatMap(({ attributes = {} }) => Object.keys(attributes))
    const known = ["loop", "outcome", "stage", "entity", "to", "stops", "host", "kind", "status", "held"]
    assert.deepStrictEqual(
      new Set(labels),
      new Set([...known, "version", "network", "protocol"]),
      "a label that is not known to be bounded"
    )
  })

  test("that a source names is met here", function* () {
    const met = new Set((yield* everyMetric).map(({ id }) => id))
    assert.isAbove(namedInSources.length, 30)
    assert.deepStrictEqual(
      namedInSources.filter((name) => !met.has(name)),
      []
    )
  })
})

describe("a loop", () => {
  it.effect("counts its ticks by how they ended, and times them", () =>
    Effect.gen(function* () {
      const ends = [Effect.void, Effect.fail({ message: "no" }), Effect.die(new Error("boom")), Effect.void]
      let ticks = 0
      const tick = Effect.suspend(() => ends[ticks++] ?? Effect.never)
      const loop = yield* Effect.forkScoped(every("Mint tick", Duration.seconds(5), Effect.delay(tick, "2 seconds")))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* linesOf("ai_mint_loop_ticks_total"), [
        'ai_mint_loop_ticks_total{loop="mint",outcome="done"} 0',
        'ai_mint_loop_ticks_total{loop="mint",outcome="failed"} 0',
        'ai_mint_loop_ticks_total{loop="mint",outcome="defect"} 0'
      ])
      yield* TestClock.adjust("29 seconds")
      // Being stopped in the middle of a tick is no end of it.
      yield* Fiber.interrupt(loop)
      assert.deepStrictEqual(yield* linesOf("ai_mint_loop_ticks_total"), [
        'ai_mint_loop_ticks_total{loop="mint",outcome="done"} 2',
        'ai_mint_loop_ticks_total{loop="mint",outcome="failed"} 1',
        'ai_mint_loop_ticks_total{loop="mint",outcome="defect"} 1'
      ])
      const took = "ai_mint_loop_tick_duration_seconds"
      const lines = yield* scraped
      assert.include(lines, `${took}_count{loop="mint"} 4`)
      assert.include(lines, `${took}_sum{loop="mint"} 8`)
      assert.include(lines, `${took}_bucket{loop="mint",le="1"} 0`)
      assert.include(lines, `${took}_bucket{loop="mint",le="2.5"} 4`)
      assert.include(lines, 'ai_mint_loop_last_tick_timestamp_seconds{loop="mint"} 23')
    }).pipe(Effect.provide(logging), alone)
  )
})

describe("an RPC endpoint", () => {
  const fails = (reason: NodeFault["reason"]) => Effect.fail(new NodeFault({ reason, detail: "no luck" }))
  const endpoint = (host: string, answer: Effect.Effect<string, NodeFault>) => ({
    host,
    ask: () => answer as Effect.Effect<never, NodeFault>,
    pageSize: Ref.makeUnsafe(largest)
  })
  const rpcOf = (first: ReturnType<typeof endpoint>, second: ReturnType<typeof endpoint>) =>
    makeRpc({ endpoints: [first, second], verifyEndpoint: () => Effect.void, rpcTimeout: Duration.seconds(10) })
  const question = async () => "not asked"

  test("is counted by host and by how it answered, and timed", function* () {
    const limited = endpoint("one.example", fails("RateLimited"))
    const slow = endpoint("two.example", Effect.delay(Effect.succeed("two"), "2 seconds"))
    const rpc = yield* rpcOf(limited, slow)
    const asking = yield* Effect.forkChild(rpc.ask("read", question))
    yield* TestClock.adjust("2 seconds")
    yield* Fiber.join(asking)
    assert.deepStrictEqual(yield* linesOf("ai_mint_rpc_requests_total"), [
      'ai_mint_rpc_requests_total{host="one.example",outcome="RateLimited"} 1',
      'ai_mint_rpc_requests_total{host="two.example",outcome="ok"} 1'
    ])
    assert.include(yield* scraped, 'ai_mint_rpc_duration_seconds_sum{host="two.example"} 2')
    assert.deepStrictEqual(yield* linesOf("ai_mint_rpc_retries_total"), [])
  })

  test("that hangs is counted as timed out, and a second try as a retry", function* () {
    const rpc = yield* rpcOf(endpoint("one.example", Effect.never), endpoint("two.example", fails("Unavailable")))
    const asking = yield* Effect.forkChild(Effect.flip(rpc.ask("read", question)))
    yield* TestClock.adjust("10 seconds")
    yield* Fiber.join(asking)
    const lines = yield* linesOf("ai_mint_rpc_requests_total")
    assert.include(lines, 'ai_mint_rpc_requests_total{host="one.example",outcome="Timeout"} 1')
    assert.include(lines, 'ai_mint_rpc_requests_total{host="one.example",outcome="Interrupted"} 1')
    assert.include(lines, 'ai_mint_rpc_requests_total{host="two.example",outcome="Unavailable"} 1')
    assert.deepStrictEqual(yield* linesOf("ai_mint_rpc_retries_total"), ["ai_mint_rpc_retries_total 1"])
  })

  test("tells whoever asks that it gets on, whatever the answer", function* () {
    let questions = 0
    const rpc = yield* rpcOf(
      endpoint("one.example", fails("Unreadable")),
      endpoint("two.example", Effect.succeed("two"))
    )
    const count = Effect.sync(() => void questions++)
    assert.strictEqual(yield* Effect.provideService(rpc.ask("read", question), AfterRpcCall, count), "two")
    assert.strictEqual(questions, 2)
    yield* rpc.ask("read", question)
    assert.strictEqual(questions, 2)
  })

  test("that says a definite no is not tried again", function* () {
    const rpc = yield* rpcOf(endpoint("one.example", fails("Rejected")), endpoint("two.example", fails("Reverted")))
    yield* Effect.flip(rpc.ask("read", question))
    assert.deepStrictEqual(yield* linesOf("ai_mint_rpc_retries_total"), [])
  })

  test("is retried twice at most, and so it is counted", function* () {
    const rpc = yield* rpcOf(endpoint("one.example", fails("Lagging")), endpoint("two.example", fails("Lagging")))
    const asking = yield* Effect.forkChild(Effect.flip(rpc.ask("read", question)))
    yield* TestClock.adjust("5 seconds")
    yield* Fiber.join(asking)
    assert.deepStrictEqual(yield* linesOf("ai_mint_rpc_retries_total"), ["ai_mint_rpc_retries_total 2"])
  })
})

describe("the mint server", () => {
  const quoted = { offers: [], challenge: undefined }
  const offer = { scheme: "exact", network: "", asset: "", payTo: "", amount: usdc(0n), maxTimeoutSeconds: 60 }

  test("is counted by what it was asked and what it answered", function* () {
    const answers: Array<Effect.Effect<PaymentAnswer>> = [
      Effect.succeed({ _tag: "Accepted", mintTxs: [], paymentTx: undefined }),
      Effect.succeed({ _tag: "Unclear", reason: "502" }),
      Effect.delay(Effect.succeed({ _tag: "Refused", reason: "no" }), "3 seconds")
    ]
    const quotes = [Effect.succeed(quoted), new NoOffer({ reason: "Unavailable", message: "503" })]
    const minter = {
      ...sullen,
      quote: () => Effect.suspend(() => quotes.shift() ?? Effect.never),
      pay: () => Effect.suspend(() => answers.shift() ?? Effect.never),
      follow: (reference: string) => Effect.succeed(reference === "known" ? "on its way" : undefined)
    }
    const { quote, pay, follow, takesAgain } = measureMinter(minter, ["quote", "pay", "follow"])
    assert.isTrue(takesAgain)
    assert.strictEqual(yield* quote(order), quoted)
    assert.strictEqual((yield* Effect.flip(quote(order))).reason, "Unavailable")
    const paying = yield* Effect.forkChild(
      Effect.forEach([1, 2, 3], () => Effect.map(pay(order, quoted, offer, payment), ({ _tag }) => _tag))
    )
    yield* TestClock.adjust("3 seconds")
    assert.deepStrictEqual(yield* Fiber.join(paying), ["Accepted", "Unclear", "Refused"])
    assert.strictEqual(yield* follow("known"), "on its way")
    assert.isUndefined(yield* follow("unknown"))
    const cut = yield* Effect.forkChild(pay(order, quoted, offer, payment), { startImmediately: true })
    yield* Fiber.interrupt(cut)
    const name = "ai_mint_mint_server_requests_total"
    assert.deepStrictEqual(yield* linesOf(name), [
      `${name}{kind="quote",outcome="offer"} 1`,
      `${name}{kind="quote",outcome="Unavailable"} 1`,
      `${name}{kind="pay",outcome="Accepted"} 1`,
      `${name}{kind="pay",outcome="Unclear"} 1`,
      `${name}{kind="pay",outcome="Refused"} 1`,
      `${name}{kind="follow",outcome="said"} 1`,
      `${name}{kind="follow",outcome="nothing"} 1`,
      `${name}{kind="pay",outcome="Interrupted"} 1`
    ])
    assert.include(yield* scraped, 'ai_mint_mint_server_duration_seconds_sum{kind="pay"} 3')
  })

  test("is not counted for what its client answers by itself", function* () {
    const { quote, follow } = measureMinter(sullen, ["pay"])
    yield* Effect.ignore(quote(order))
    yield* follow("reference")
    assert.deepStrictEqual(yield* scraped, [])
  })
})

describe("the process", () => {
  test("tells what runs, since when, and that nothing has changed its state yet", function* () {
    yield* TestClock.adjust("90 seconds")
    yield* Effect.provide(Effect.void, Layer.fresh(Metrics.layer).pipe(Layer.provide(settings())))
    const lines = yield* scraped
    assert.include(lines, `ai_mint_build_info{version="${version}",network="local",protocol="x402"} 1`)
    assert.include(lines, "ai_mint_start_timestamp_seconds 90")
    assert.include(lines, 'ai_mint_transitions_total{entity="task",to="completed"} 0')
    assert.include(lines, 'ai_mint_transitions_total{entity="refund",to="paid"} 0')
    assert.strictEqual((yield* linesOf("ai_mint_transitions_total")).length, 19)
    for (const rare of ["wallet_parked", "outage_pauses", "chain_reorganisations", "refused_tokens"])
      assert.include(lines, `ai_mint_${rare}_total 0`)
    assert.include(lines, "ai_mint_outage 0")
    assert.include(lines, 'ai_mint_incidents{stops="true"} 0')
  })

  test("has what its nodes and its mint server may answer at zero from the start", function* () {
    yield* ChainMetrics.rpcBegan(["rpc.example.org", "rpc.example.org"])
    yield* MintMetrics.requestsBegan(["quote", "pay"])
    const lines = yield* scraped
    assert.include(lines, 'ai_mint_rpc_requests_total{host="rpc.example.org",outcome="Unavailable"} 0')
    assert.include(lines, "ai_mint_rpc_retries_total 0")
    assert.include(lines, 'ai_mint_mint_server_requests_total{kind="quote",outcome="Refused"} 0')
    assert.include(lines, 'ai_mint_mint_server_requests_total{kind="pay",outcome="Refused"} 0')
  })

  test("counts what enters a state by the events of the ledger, and nothing else", function* () {
    const happened = (kind: string, more: Partial<LedgerEvent> = {}) =>
      countEvent({
        id: 1,
        atMs: 0,
        kind,
        taskId: undefined,
        walletId: undefined,
        batch: undefined,
        detail: {},
        ...more
      })
    yield* happened("task.created", { detail: { status: "pending_payment" } })
    yield* happened("task.funded")
    yield* happened("task.funded")
    yield* happened("batch.planned", { detail: { batches: 3 } })
    yield* happened("batch.planned", { batch: 2 })
    yield* happened("batch.delivered", { batch: 1 })
    for (const kind of [
      "task.held",
      "task.refused",
      "batch.minted",
      "deposit.arrived",
      "decision.made",
      "constructor.x"
    ]) {
      yield* happened(kind)
    }
    assert.deepStrictEqual(yield* linesOf("ai_mint_transitions_total"), [
      'ai_mint_transitions_total{entity="task",to="pending_payment"} 1',
      'ai_mint_transitions_total{entity="task",to="funded"} 2',
      'ai_mint_transitions_total{entity="batch",to="planned"} 4',
      'ai_mint_transitions_total{entity="batch",to="delivered"} 1'
    ])
  })
})

describe("the figures of the ledger", () => {
  test("are shown in USDC and in seconds, and are zero again when they are over", function* () {
    yield* showFigures(
      {
        tasks: [
          { status: "funded", held: false, count: 3, cost: usdc(4_500_000n) },
          { status: "funded", held: true, count: 1, cost: usdc(500_000n) }
        ],
        batches: [{ status: "unknown", count: 2, amount: usdc(2_000_000n) }],
        unknown: { count: 2, sinceMs: 40_000 },
        undelivered: { count: 1, sinceMs: 99_500 },
        held: { count: 1, sinceMs: 10_000 },
        stoppedWallets: { count: 1, sinceMs: undefined },
        limited: { count: 2, sinceMs: 40_000 },
        money: { deposited: usdc(9_000_001n), paid: usdc(4_000_000n), refunded: usdc(1n), credit: usdc(250_000n) },
        dueSinceMs: 98_000
      },
      100_000
    )
    const shown = yield* scraped
    for (const line of [
      'ai_mint_tasks{status="funded",held="false"} 3',
      'ai_mint_tasks{status="funded",held="true"} 1',
      'ai_mint_tasks{status="cancelled",held="false"} 0',
      'ai_mint_tasks_cost_usdc{status="funded"} 5',
      'ai_mint_batches{status="unknown"} 2',
      'ai_mint_batches{status="held"} 0',
      "ai_mint_unknown_payments 2",
      "ai_mint_unknown_payments_oldest_age_seconds 60",
      "ai_mint_undelivered 1",
      "ai_mint_undelivered_oldest_age_seconds 0.5",
      "ai_mint_held_tasks_oldest_age_seconds 90",
      "ai_mint_stopped_wallets 1",
      "ai_mint_stopped_wallets_oldest_age_seconds 0",
      "ai_mint_limited_tasks 2",
      "ai_mint_usdc_deposited 9.000001",
      "ai_mint_usdc_paid 4",
      "ai_mint_usdc_refunded 0.000001",
      "ai_mint_usdc_credit 0.25",
      "ai_mint_oldest_due_age_seconds 2"
    ])
      assert.include(shown, line)
    yield* showFigures(emptyFigures, 200_000)
    const over = yield* scraped
    assert.strictEqual(over.length, shown.length)
    for (const line of over.filter((one) => !one.startsWith("ai_mint_ledger_read"))) assert.match(line, / 0$/)
  })

  test("are no older than nothing, whatever the clocks say", function* () {
    yield* showFigures({ ...emptyFigures, dueSinceMs: 2_000 }, 1_000)
    assert.deepStrictEqual(yield* linesOf("ai_mint_oldest_due_age_seconds"), ["ai_mint_oldest_due_age_seconds 0"])
  })
})

layer(Postgres.session())("the executor", (it) => {
  it.effect(
    "measures its loops, the stages of its sweeps and the turns of its wallets while an order goes through",
    () =>
      Effect.gen(function* () {
        yield* paidOrder("ann", 20)
        yield* pass(6)
        yield* start
        yield* pass(20)
        const lines = yield* scraped
        const counted = (series: string): number => {
          const line = lines.find((one) => one.startsWith(`${series} `))
          return line === undefined ? Number.NaN : Number(line.slice(series.length + 1))
        }
        assert.isAtLeast(counted('ai_mint_loop_ticks_total{loop="check",outcome="done"}'), 2)
        assert.isAtLeast(counted('ai_mint_loop_ticks_total{loop="mint",outcome="done"}'), 3)
        assert.isAtLeast(counted('ai_mint_loop_ticks_total{loop="block",outcome="done"}'), 10)
        assert.strictEqual(counted('ai_mint_loop_ticks_total{loop="check",outcome="failed"}'), 0)
        for (const stage of ["read", "balances", "deposits", "decide", "write"])
          assert.isAtLeast(counted(`ai_mint_sweep_stage_duration_seconds_count{stage="${stage}"}`), 1, stage)
        assert.strictEqual(counted("ai_mint_sweep_checked"), 0)
        assert.isAtLeast(counted("ai_mint_wallet_turn_duration_seconds_count"), 3)
        assert.isAtLeast(counted("ai_mint_wallet_actors"), 0)
        const { loops, sweep } = yield* Progress.state
        assert.deepStrictEqual(
          loops.map(({ name, outcome, problem }) => [name, outcome, problem]),
          [
            ["check", "done", undefined],
            ["mint", "done", undefined],
            ["block", "done", undefined]
          ]
        )
        assert.deepInclude(sweep, { checked: 0, funded: 0, cancelled: 0 })
      }).pipe(onWorld({ checkTrigger: "block" }), Effect.provide(Layer.fresh(Progress.layer)), alone)
  )
})
