import { Effect, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { randomUUID } from "node:crypto"
import type { Address } from "../../src/domain/Address.ts"
import { TaskId } from "../../src/domain/Task.ts"
import { newWallets, type Payer } from "../bench/database.ts"
import { payAll, PRICE } from "../e2e/baseSepolia.ts"
import { encrypt } from "../support/orders.ts"
import type { Random } from "../simulation/random.ts"
import { PAYMENT_TIMEOUT_MS, patiently, type World } from "./world.ts"

/** How an order is paid; `short` is a mint too little, `twice` once too often. */
type Manner = "in time" | "late" | "short" | "twice" | "never"

const MANNERS: ReadonlyArray<Manner> = [
  ...Array.from({ length: 14 }, () => "in time" as const),
  ...(["late", "late", "short", "short", "twice", "never"] as const)
]

/**
 * Orders that are open at once, as minutes of ordering; about one and a half are where all goes well. A machine that is too
 * slow for the load gets less of it: with a backlog that grows and grows, so does everything else.
 */
const OPEN_MINUTES_MAX = 4

/** Each person who has one orders a second time so often. */
const RETURNS = 0.25

const MINTS_MAX = 10

/** Longer than a sweep that the node holds up: a late payment should find its order cancelled, and need not. */
const LATE_MS = PAYMENT_TIMEOUT_MS + 20_000

/** An order, and what its person has done for it. */
export interface Placed {
  readonly id: TaskId
  readonly who: Payer
  readonly mints: number
  readonly manner: Manner
  /** Whether its person has sent what they mean to send. */
  readonly isDone: () => boolean
}

export interface People {
  readonly placed: ReadonlyArray<Placed>
  /** Places orders, `perMinute` of them, until it is interrupted. What is due for them is still paid then. */
  readonly order: (perMinute: number) => Effect.Effect<never, never, SqlClient.SqlClient | Scope.Scope>
}

/** An insert that may be repeated where its answer was lost. */
const insertOrder = ({ id, who, mints }: Placed, token: Address) =>
  patiently(
    Effect.gen(function* () {
      const { walletId, userAddress, agentAddress, privateKey } = who
      const sql = yield* SqlClient.SqlClient
      const wallet = {
        id: walletId,
        user_address: userAddress,
        agent_address: agentAddress,
        encrypted_private_key: encrypt(privateKey)
      }
      const row = {
        id,
        user_address: userAddress,
        agent_wallet_id: walletId,
        token_address: token,
        quantity: mints,
        price_per_mint: PRICE,
        total_cost: PRICE * BigInt(mints)
      }
      yield* sql`INSERT INTO ai_agent_wallets ${sql.insert(wallet)} ON CONFLICT DO NOTHING`
      yield* sql`INSERT INTO ai_agent_tasks ${sql.insert(row)} ON CONFLICT DO NOTHING`
    })
  )

const countOpen = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly open: number }>`
    SELECT count(*)::int AS open FROM ai_agent_tasks WHERE status IN ('pending_payment', 'funded', 'processing')`
  return row?.open ?? 0
})

/** What is sent for an order: after how many milliseconds, and for how many mints. */
const paymentsOf = (manner: Manner, mints: number, random: Random): ReadonlyArray<readonly [number, number]> => {
  const soonMs = random.int(0, 8_000)
  switch (manner) {
    case "in time":
      return [[soonMs, mints]]
    case "late":
      return [[LATE_MS + soonMs, mints]]
    case "short":
      return [[soonMs, mints - 1]]
    case "twice":
      return [
        [soonMs, mints],
        [2_000, mints]
      ]
    case "never":
      return []
  }
}

export const makePeople = ({ network, tokens }: World, random: Random): People => {
  const placed: Array<Placed> = []
  /** Those whose wallets hold no more than what their orders cost. */
  const exact: Array<Payer> = []

  const draw = () => {
    const manner = random.pick(MANNERS)
    const returns = manner === "in time" && exact.length > 0 && random.chance(RETURNS)
    const who = returns ? random.pick(exact) : newWallets(1)[0]
    // One mint too little is still something.
    return { manner, who, isNew: !returns, mints: random.int(2, MINTS_MAX), token: random.pick(tokens) }
  }

  const orderOnce = Effect.gen(function* () {
    const { manner, who, isNew, mints, token } = draw()
    const id = TaskId.make(randomUUID())
    const dues = paymentsOf(manner, mints, random)
    const person = { isDone: false }
    const order: Placed = { id, who, mints, manner, isDone: () => person.isDone }
    yield* insertOrder(order, token)
    placed.push(order)
    if (manner === "in time" && isNew) exact.push(who)
    yield* Effect.forEach(dues, ([ms, due]) => Effect.delay(payAll(network, [{ who, mints: due }]), ms)).pipe(
      Effect.andThen(Effect.sync(() => (person.isDone = true))),
      Effect.orDie
    )
  })

  const order = Effect.fnUntraced(function* (perMinute: number) {
    const eachMs = 60_000 / perMinute
    const orderUnlessMany = Effect.flatMap(patiently(countOpen), (open) =>
      open < perMinute * OPEN_MINUTES_MAX ? orderOnce : Effect.void
    )
    return yield* Effect.forkScoped(orderUnlessMany).pipe(
      Effect.andThen(Effect.suspend(() => Effect.sleep(eachMs * (0.5 + random.next())))),
      Effect.forever
    )
  })

  return { placed, order }
}
