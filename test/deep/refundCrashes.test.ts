import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { SqlClient } from "effect/sql"
import { createHash, randomUUID } from "node:crypto"
import { encodeFunctionData, parseAbi, parseEther } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { vi } from "vitest"
import { authorizationTypes, signingDomain } from "../../src/chain/usdc.ts"
import { baseSepolia } from "../../src/config/Network.ts"
import { address } from "../../src/domain/Address.ts"
import { refundNonce } from "../../src/domain/Refund.ts"
import { REFUND_TRANSITIONS } from "../../src/domain/transferTransitions.ts"
import * as Contracts from "../../src/sandbox/Contracts.ts"
import { roles } from "../../src/sandbox/DevChain.ts"
import { migrate } from "../../src/ledger/migrate.ts"
import { balanceOf, type BaseSepolia, deployment, openBaseSepolia, payAll, PRICE, USDC } from "../e2e/baseSepolia.ts"
import { eventually } from "../e2e/support.ts"
import { anyId } from "../support/anyId.ts"
import { clientAt } from "../support/LedgerSql.ts"
import { type Person, person } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { paymentsOf } from "./audit.ts"
import { compiled, runKilled } from "./killedExecutor.ts"
import { cancelNonce, keyOf } from "./meddling.ts"
import type { Point } from "./programs/killPoints.ts"

vi.mock(import("../../src/config/Network.ts"), async (original) => {
  const networks = await original()
  return { ...networks, local: { ...networks.baseSepolia, blockSeconds: 1 } }
})

/** A refund that an executor makes which is killed at these points, and how it ends. */
interface Round {
  readonly name: string
  readonly window?: string
  readonly at?: ReadonlyArray<Point>
  /** The executor is killed before and after each. */
  readonly arrows: ReadonlyArray<string>
  /** What somebody with the wallet's key does with the refund's nonce, and how far the refund is then. */
  readonly meddling?: { readonly does: "cancels" | "pays"; readonly when: "planned" | "signed" }
  /** `AI_AGENT_PRIVATE_KEY` is not set at the first starts. */
  readonly startsWithoutGas?: number
  readonly ends: "paid" | "held"
}

/** The transfer was never sent: it is killed between the claim and the bytes. */
const LEFT_SIGNED: Point = "after refund planned→signed"

const rounds: ReadonlyArray<Round> = [
  { name: "no account for gas", startsWithoutGas: 2, arrows: ["planned→planned"], ends: "paid" },
  { name: "sent", arrows: ["planned→signed", "signed→signed", "signed→paid"], ends: "paid" },
  { name: "never sent, and it lapses", window: "10s", at: [LEFT_SIGNED], arrows: ["signed→planned"], ends: "paid" },
  {
    name: "cancelled when it is signed",
    at: [LEFT_SIGNED],
    meddling: { does: "cancels", when: "signed" },
    arrows: ["signed→held"],
    ends: "held"
  },
  {
    name: "cancelled before it is signed",
    meddling: { does: "cancels", when: "planned" },
    arrows: ["planned→held"],
    ends: "held"
  },
  { name: "paid elsewhere", meddling: { does: "pays", when: "planned" }, arrows: ["planned→paid"], ends: "paid" }
]

const around = (arrow: string): ReadonlyArray<Point> => [`before refund ${arrow}`, `after refund ${arrow}`]

const pointsToReach = Object.entries(REFUND_TRANSITIONS).flatMap(([from, tos]) =>
  // What a person withdraws is no step of the executor's.
  tos.filter((to) => to !== "withdrawn").flatMap((to) => around(`${from}→${to}`))
)

/** What the wallet holds, and how much of it goes back: base units. */
const DEPOSIT = 3n * PRICE
const REFUND = PRICE

type Started = Effect.Success<typeof compiled>

interface Asked {
  readonly name: string
  readonly id: string
  readonly who: Person
  readonly nonce: `0x${string}`
}

/** A refund as the operator's command writes it down. */
const ask = Effect.fnUntraced(function* (world: BaseSepolia, name: string) {
  const sql = yield* SqlClient.SqlClient
  const who = yield* person(name)
  yield* payAll(world, [{ who, mints: 3 }])
  const id = anyId(randomUUID())
  const nonce = refundNonce({ chainId: baseSepolia.chainId, usdc: USDC, payer: who.agentAddress, id })
  const write = sql`
    INSERT INTO ai_agent_refunds
      (id, wallet_id, payer, pay_to, amount, nonce, status, next_action_at, created_at, updated_at)
    VALUES (${id}::uuid, ${who.walletId}::uuid, ${who.agentAddress}, ${who.userAddress}, ${REFUND}::bigint, ${nonce},
      'planned', now(), now(), now())`
  return { asked: { name, id, who, nonce } satisfies Asked as Asked, write }
})

const statusOf = Effect.fnUntraced(function* (id: string) {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly status: string; readonly tx_hash: `0x${string}` | null }>`
    SELECT status, tx_hash FROM ai_agent_refunds WHERE id = ${id}::uuid`
  return row ?? assert.fail(`there is no refund ${id}`)
})

const transferAbi = parseAbi([
  "function transferWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, bytes signature)"
])

/** The refund's own transfer, made by somebody else. */
const payElsewhere = Effect.fnUntraced(function* ({ chain }: BaseSepolia, { name, who, nonce }: Asked) {
  const [from, to] = [who.agentAddress, who.userAddress]
  const message = { from, to, value: REFUND, validAfter: 0n, validBefore: 2n ** 40n, nonce }
  const signature = yield* Effect.promise(() =>
    keyOf(name).signTypedData({
      domain: signingDomain(baseSepolia),
      types: authorizationTypes,
      primaryType: "TransferWithAuthorization",
      message
    })
  )
  const args = [from, to, REFUND, 0n, 2n ** 40n, nonce, signature] as const
  const data = encodeFunctionData({ abi: transferAbi, functionName: "transferWithAuthorization", args })
  const hash = yield* chain.send("pay elsewhere", roles.treasury, { to: USDC, data, gas: 300_000n })
  yield* chain.receipt("pay elsewhere", hash)
})

const meddle = (world: BaseSepolia, { meddling }: Round, asked: Asked) =>
  meddling?.does === "pays" ? payElsewhere(world, asked) : cancelNonce(world, asked.name, asked.nonce)

/** The chain's logs alone: the refund left the wallet once, to its user, or nothing did. */
const assertOnChain = Effect.fnUntraced(function* (world: BaseSepolia, round: Round, { who, nonce, id }: Asked) {
  const { status, tx_hash } = yield* statusOf(id)
  assert.strictEqual(status, round.ends, round.name)
  const paid = yield* paymentsOf(world.chain, who.agentAddress)
  const expected =
    status === "paid" ? [{ nonce, payment_tx: tx_hash ?? assert.fail(), paid_amount: String(REFUND) }] : []
  assert.deepStrictEqual(paid, expected, round.name)
  assert.strictEqual(yield* balanceOf(world, who), DEPOSIT - BigInt(paid.length) * REFUND, round.name)
  const theirs = yield* balanceOf(world, { ...who, agentAddress: who.userAddress })
  assert.strictEqual(theirs, BigInt(paid.length) * REFUND, `${round.name}: what the person has`)
})

const play = Effect.fnUntraced(function* (world: BaseSepolia & { readonly startedFrom: Started }, round: Round) {
  const url = yield* Postgres.freshDatabase()
  // An account each: two executors that send by one would use its transaction numbers twice.
  const key = createHash("sha256").update(`gas ${round.name}`).digest("hex")
  yield* Contracts.giveEth(world.chain, address(privateKeyToAccount(`0x${key}`).address), parseEther("1"))
  return yield* Effect.gen(function* () {
    yield* migrate
    const { asked, write } = yield* ask(world, round.name)
    if (round.meddling?.when === "planned") {
      yield* meddle(world, round, asked)
      // The executor's first look counts it, however soon it comes.
      yield* world.chain.mine(3)
    }
    yield* write
    if (round.meddling?.when === "signed") {
      const isSigned = Effect.map(statusOf(asked.id), ({ status }) => (status === "signed" ? true : undefined))
      const later = Effect.andThen(eventually(`${round.name}: it is signed`, isSigned), meddle(world, round, asked))
      yield* Effect.forkScoped(later)
    }
    const pace = { CHECK_INTERVAL: "500ms", MINT_INTERVAL: "200ms", AUTHORIZATION_WINDOW: round.window ?? "60s" }
    const killed = yield* runKilled({
      env: { ...world.startedFrom, ...deployment(world, url), ...pace },
      points: [...(round.at ?? []), ...round.arrows.flatMap(around)],
      arm: (start) => Effect.succeed(start < (round.startsWithoutGas ?? 0) ? {} : { AI_AGENT_PRIVATE_KEY: `0x${key}` }),
      isOver: Effect.map(statusOf(asked.id), ({ status }) => status === "paid" || status === "held")
    })
    yield* assertOnChain(world, round, asked)
    return killed.killed
  }).pipe(Effect.scoped, Effect.provide(clientAt(url, 2)))
})

describe("an executor that is killed", () => {
  it.live("at any point of a refund's life carries on: the money goes back once", () =>
    Effect.gen(function* () {
      const world = { ...(yield* openBaseSepolia), startedFrom: yield* compiled }
      const exits = yield* Effect.forEach(rounds, (round) => Effect.exit(play(world, round)), { concurrency: 3 })
      const failed = exits.flatMap((exit, index) =>
        Exit.isFailure(exit) ? [`${rounds[index]?.name}: ${Cause.pretty(exit.cause)}`] : []
      )
      if (failed.length > 0) return assert.fail(failed.join("\n\n"))
      const killed = exits.flatMap((exit) => (Exit.isSuccess(exit) ? exit.value : []))
      console.log(`Crashes of refunds: ${new Set(killed).size} points, ${killed.length} kills, ${rounds.length} rounds`)
      assert.deepStrictEqual(
        pointsToReach.filter((point) => !killed.includes(point)),
        [],
        "points that no process came to"
      )
    })
  )
})
