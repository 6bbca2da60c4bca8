import { assert, layer } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { ChainError } from "../../src/chain/ChainClient.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { NoOffer, type PaymentAnswer } from "../../src/mint/Minter.ts"
import * as Pglite from "../../src/sandbox/Pglite.ts"
import { LedgerError } from "../../src/task/TaskRepo.ts"
import { type Around, launch, LogLines, onWorld, pass } from "../support/executor.ts"
import { order, person, type Person } from "../support/orders.ts"
import { World } from "../support/World.ts"

const rng = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}
const SETTINGS = { maxBatchSize: 4, drainTimeout: Duration.zero }
const T = ["0x70ce000000000000000000000000000000000001", "0x70ce000000000000000000000000000000000002"]

const live = (seed: number) =>
  Effect.gen(function* () {
    const rand = rng(seed)
    const int = (n: number) => Math.floor(rand() * n)
    const chance = (p: number) => rand() < p
    const world = yield* World
    const sql = yield* SqlClient.SqlClient
    let faults = true
    const pay = chance(0.3) ? 0.7 : 0.25
    world.manners.pay = ({ settle, mint, order }) => {
      if (!faults || chance(1 - pay)) return undefined
      const answers: ReadonlyArray<PaymentAnswer> = [
        { _tag: "Unclear", reason: "x" },
        { _tag: "Refused", reason: "r" + int(2) },
        { _tag: "Accepted", mintTxs: [], paymentTx: undefined }
      ]
      const answer = answers[int(3)]!
      if (chance(0.15)) {
        return Effect.gen(function* () {
          if (chance(0.5)) mint(order.quantity)
          yield* Effect.sleep(int(350) * 1000)
          if (settle()) mint(order.quantity)
          return answers[int(3)]!
        })
      }
      const s = chance(0.5), m = (s || chance(0.05)) && chance(0.5), first = chance(0.5)
      if (m && first) mint(order.quantity)
      if (s) settle()
      if (m && !first) mint(order.quantity)
      const d = int(4) === 0 ? int(100) : 0
      return d > 0 ? Effect.as(Effect.sleep(d * 1000), answer) : answer
    }
    world.manners.quote = () =>
      faults && chance(0.15) ? new NoOffer({ reason: (["Unavailable", "Refused", "Unreadable"] as const)[int(3)]!, message: "q" + int(2) }) : undefined
    world.manners.price = (o) => usdc(BigInt(o.quantity) * (faults && chance(0.1) ? (chance(0.5) ? 900_000n : 1_100_000n) : 1_000_000n))
    world.onChainCall = (operation) =>
      faults && chance(0.08) ? new ChainError({ reason: "Timeout", operation, detail: "t" }) : Effect.void
    const around: Around = (operation, work) =>
      Effect.suspend(() => {
        if (!faults || !chance(0.04)) return work
        const f = Effect.fail(new LedgerError({ reason: "Unavailable", operation, detail: "t" }) as never)
        return operation === "openTasks" ? work : chance(0.5) ? f : Effect.andThen(work, f)
      })
    const people: Array<Person> = []
    for (let i = 0; i < 3; i++) people.push(yield* person(`p${i}`))
    const executors: Array<{ kill: Effect.Effect<void> }> = []
    executors.push(yield* launch(SETTINGS, around))
    if (chance(0.3)) executors.push(yield* launch(SETTINGS, around))
    const placed: Array<{ id: string; who: Person; q: number }> = []
    for (let step = 0; step < 60; step++) {
      const who = people[int(3)]!
      if (chance(0.2) && placed.length < 12) {
        const q = 1 + int(12)
        const id = yield* order(who, q, { token_address: T[int(2)]! })
        placed.push({ id, who, q })
        if (chance(0.7)) world.deposit(who.agentAddress, usdc(BigInt(q) * 1_000_000n))
        else if (chance(0.5)) world.deposit(who.agentAddress, usdc(BigInt(1 + int(10)) * 500_000n))
      }
      if (chance(0.02) && placed.length > 0) {
        const one = placed[int(placed.length)]!
        yield* sql`UPDATE ai_agent_tasks SET status='cancelled' WHERE id=${one.id}::uuid AND status='pending_payment'`
      }
      if (chance(0.05)) world.halt(true)
      if (chance(0.3)) world.halt(false)
      if (chance(0.08)) {
        const at = int(executors.length)
        yield* executors[at]!.kill
        executors[at] = yield* launch({ ...SETTINGS, maxBatchSize: 1 + int(6) }, around)
      }
      yield* pass(1 + int(12))
    }
    faults = false
    world.halt(false)
    yield* pass(1500)
    const { all } = yield* LogLines
    const tail = () => all.slice(-0).filter((l) => !l.includes("🔍")).slice(-80).join("\n")
    const rows = yield* sql<any>`SELECT t.id, t.status, t.quantity, t.mints_completed, t.mints_failed, t.error_message, t.agent_wallet_id, s.held_at,
      (SELECT count(*)::int FROM ai_agent_mint_records r WHERE r.task_id=t.id) AS records,
      (SELECT coalesce(sum(paid_amount),0)::bigint FROM ai_agent_batches b WHERE b.task_id=t.id) AS paid,
      (SELECT json_agg(json_build_array(b.number,b.status,b.minted,b.quantity,b.reason) ORDER BY b.number) FROM ai_agent_batches b WHERE b.task_id=t.id) AS batches
      FROM ai_agent_tasks t LEFT JOIN ai_agent_task_state s ON s.task_id=t.id`
    const fail = (what: string) => assert.fail(`seed ${seed}: ${what}\n${rows.map((r: any) => JSON.stringify(r, (_k, v) => (typeof v === "bigint" ? String(v) : v))).join("\n")}\n${tail()}`)
    for (const r of rows) {
      if (!["completed", "failed", "cancelled"].includes(r.status) && r.held_at === null && !rows.some((o: any) => o.held_at !== null && (o.agent_wallet_id === r.agent_wallet_id))) fail(`not terminal ${r.id}`)
      if (r.status === "completed" && r.mints_completed !== r.quantity) fail("completed short")
      if (r.mints_completed !== r.records) fail("records")
    }
    for (const who of people) {
      const mine = rows.filter((r: any) => r.agent_wallet_id === who.walletId)
      const held = mine.filter((r: any) => r.held_at !== null)
      const counted = mine.reduce((n: number, r: any) => n + r.mints_completed, 0)
      if (held.length === 0 && counted !== world.mintsTo(who.userAddress)) fail(`mints ${counted} vs ${world.mintsTo(who.userAddress)}`)
      const paid = mine.reduce((n: bigint, r: any) => n + BigInt(r.paid), 0n)
      const out = world.paidBy(who.agentAddress).reduce((n, t) => n + t.amount, 0n)
      if (held.length === 0 && paid !== out) fail(`paid ${paid} vs ${out}`)
      if (world.mintsTo(who.userAddress) > mine.reduce((n: number, r: any) => n + r.quantity, 0)) fail("overmint")
    }
    const errors = all.filter((l) => l.includes("[ERROR]") && !l.includes("→ failed"))
    if (errors.length > 0) console.log(`seed ${seed} errors`, errors.slice(0, 3), rows.filter((r: any) => r.held_at).map((r: any) => r.error_message))
    for (const e of executors) yield* e.kill
    return rows.map((r: any) => (r.held_at ? "held" : r.status))
  }).pipe(onWorld(SETTINGS))

layer(Pglite.layer())("fuzz", (it) => {
  it.effect("fuzz", () =>
    Effect.gen(function* () {
      const counts: Record<string, number> = {}
      const from = Number(process.env["FROM"] ?? 1), n = Number(process.env["N"] ?? 20)
      for (let seed = from; seed < from + n; seed++) for (const s of yield* live(seed)) counts[s] = (counts[s] ?? 0) + 1
      console.log(counts)
    }), { timeout: 3_000_000 }
  )
})
