import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { parseAbiItem } from "viem"
import type { DevChain } from "../../src/sandbox/DevChain.ts"
import { PRICE, USDC } from "../e2e/baseSepolia.ts"
import { ROOT } from "../e2e/support.ts"
import type { Placed } from "./people.ts"
import { PAYMENT_TIMEOUT_MS, type World } from "./world.ts"

const used = parseAbiItem("event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce)")
const transferred = parseAbiItem("event Transfer(address indexed from, address indexed to, uint256 value)")
const minted = parseAbiItem("event TokensMinted(address indexed to, uint256 amount, bytes32 id)")

/** What the chain's own logs say, from its first block on. */
const viewOf = Effect.fnUntraced(function* ({ network: { chain }, tokens }: World) {
  const nonces = yield* chain.ask("read the payments", (client) =>
    client.getLogs({ address: USDC, event: used, fromBlock: 0n })
  )
  const transfers = yield* chain.ask("read the transfers", (client) =>
    client.getLogs({ address: USDC, event: transferred, fromBlock: 0n })
  )
  const mints = yield* chain.ask("read the mints", (client) =>
    client.getLogs({ address: [...tokens], event: minted, fromBlock: 0n })
  )
  const byTx = Map.groupBy(transfers, ({ transactionHash }) => transactionHash)
  const payments = nonces.map(({ args, transactionHash, logIndex }) => {
    // USDC logs the use of a nonce, and right after it the transfer that it was used for.
    const transfer = byTx.get(transactionHash)?.find((one) => one.logIndex > logIndex)
    const { authorizer = "", nonce } = args
    return { wallet: authorizer.toLowerCase(), text: `${nonce} ${transactionHash} ${transfer?.args.value}` }
  })
  const left = transfers.filter(({ args }) => args.from !== undefined && !/^0x0+$/.test(args.from))
  return { payments, left, arrived: transfers, mints }
})
type View = Effect.Success<ReturnType<typeof viewOf>>

interface Row {
  readonly id: string
  readonly status: string
  readonly mints: number
  readonly records: number
  readonly inBatches: number
  readonly retries: number
  readonly createdMs: number
  readonly heldReason: string | null
}

const rowsOf = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  return yield* sql<Row>`
    SELECT t.id, t.status, t.mints_completed AS mints, t.retry_count AS retries, s.held_reason AS "heldReason",
      (extract(epoch FROM t.created_at) * 1000)::float8 AS "createdMs",
      (SELECT count(*)::int FROM ai_agent_mint_records r WHERE r.task_id = t.id) AS records,
      (SELECT coalesce(sum(b.minted), 0)::int FROM ai_agent_batches b WHERE b.task_id = t.id) AS "inBatches"
    FROM ai_agent_tasks t LEFT JOIN ai_agent_task_state s ON s.task_id = t.id AND s.held_at IS NOT NULL`
})

/** Orders that are not over, and wait for no person. */
export const openOrders = Effect.map(rowsOf, (rows) =>
  rows.filter(({ status, heldReason }) => heldReason === null && !["completed", "cancelled", "failed"].includes(status))
)

/** What one side has more often than the other: nothing, where both say the same. */
const compare = (what: string, chain: ReadonlyArray<string>, table: ReadonlyArray<string>): ReadonlyArray<string> => {
  const left = [...table]
  const more = chain.filter((one) => {
    const index = left.indexOf(one)
    if (index >= 0) left.splice(index, 1)
    return index < 0
  })
  return [
    ...more.map((one) => `${what} is on chain and not in the table: ${one}`),
    ...left.map((one) => `${what} is in the table and not on chain: ${one}`)
  ]
}

/** Every payment and every mint of the chain is a batch's, and the other way round. */
const auditTable = Effect.fnUntraced(function* (view: View) {
  const sql = yield* SqlClient.SqlClient
  const paid = yield* sql<{ readonly text: string }>`
    SELECT nonce || ' ' || payment_tx || ' ' || paid_amount AS text FROM ai_agent_batches WHERE paid_amount IS NOT NULL`
  // Without the number of its log: one of the faults is a node that counts logs otherwise.
  const claimed = yield* sql<{ readonly text: string }>`SELECT tx_hash AS text FROM ai_agent_batch_mints`
  const texts = (rows: ReadonlyArray<{ readonly text: string }>) => rows.map(({ text }) => text)
  const onChain = view.mints.map(({ transactionHash }) => transactionHash)
  return [
    ...compare("a payment", texts(view.payments), texts(paid)),
    ...compare("a mint of transaction", onChain, texts(claimed)),
    ...(view.left.length === view.payments.length
      ? []
      : [`${view.left.length} transfers left a wallet, by ${view.payments.length} authorizations`])
  ]
})

/** When the money of an order was on chain, by block time in milliseconds; undefined where it never was. */
const arrivedMs = Effect.fnUntraced(function* (chain: DevChain, view: View, { who, mints }: Placed) {
  const due = PRICE * BigInt(mints)
  const log = view.arrived.find(({ args }) => args.to?.toLowerCase() === who.agentAddress && args.value === due)
  if (log === undefined) return undefined
  const { blockNumber } = log
  const { timestamp } = yield* chain.ask("read a block", (client) => client.getBlock({ blockNumber }))
  return Number(timestamp) * 1_000
})

/** Whether an order ended as its person has a right to expect. */
const auditOrder = Effect.fnUntraced(function* (chain: DevChain, view: View, order: Placed, row: Row | undefined) {
  const name = `order ${order.id} (${order.mints} mints, paid ${order.manner})`
  if (row === undefined) return [`${name} is not in the table`]
  if (row.heldReason !== null) return [`${name} is held: ${row.heldReason}`]
  const isDone = row.status === "completed"
  const count = isDone ? order.mints : 0
  const counts = [row.mints, row.inBatches, row.records]
  if (counts.some((one) => one !== count)) return [`${name} is ${row.status}, with ${counts.join(", ")} mints`]
  const isWrong = isDone ? ["short", "never"].includes(order.manner) : row.status !== "cancelled"
  if (isWrong) return [`${name} is ${row.status}`]
  if (isDone || !["in time", "twice"].includes(order.manner)) return []
  const ms = yield* arrivedMs(chain, view, order)
  const wasInTime = ms !== undefined && ms <= row.createdMs + PAYMENT_TIMEOUT_MS
  return wasInTime ? [`${name} is cancelled, and its money was there in time`] : []
})

/** What wallets paid and people got, beside what their completed orders are worth. */
const auditPeople = (view: View, placed: ReadonlyArray<Placed>, rows: ReadonlyMap<string, Row>) => {
  const paid = Map.groupBy(view.payments, ({ wallet }) => wallet)
  const got = Map.groupBy(view.mints, ({ args }) => args.to?.toLowerCase() ?? "")
  return [...Map.groupBy(placed, ({ who }) => who)].flatMap(([who, orders]) => {
    const due = orders
      .filter(({ id }) => rows.get(id)?.status === "completed")
      .reduce((sum, { mints }) => sum + mints, 0)
    const payments = paid.get(who.agentAddress) ?? []
    const spent = payments.reduce((sum, { text }) => sum + BigInt(text.split(" ")[2] ?? 0), 0n)
    const mints = got.get(who.userAddress)?.length ?? 0
    const isRight = spent === PRICE * BigInt(due) && mints === due
    return isRight ? [] : [`wallet ${who.agentAddress} paid ${spent} and got ${mints} mints, for orders of ${due}`]
  })
}

/** Everything that is wrong, by the chain's logs and by what the people did; a sentence each. */
export const audit = Effect.fnUntraced(function* (world: World, placed: ReadonlyArray<Placed>) {
  const { chain } = world.network
  const view = yield* viewOf(world)
  const rows = new Map((yield* rowsOf).map((row) => [row.id, row]))
  const ofOrders = yield* Effect.forEach(placed, (order) => auditOrder(chain, view, order, rows.get(order.id)))
  const wrong = [...(yield* auditTable(view)), ...auditPeople(view, placed, rows), ...ofOrders.flat()]
  const ends = Map.groupBy(rows.values(), ({ status }) => status)
  return {
    wrong,
    payments: view.payments.length,
    mints: view.mints.length,
    ends: [...ends].map(([status, some]) => `${some.length} ${status}`).join(", "),
    retried: [...rows.values()].filter(({ retries }) => retries > 0).length
  }
})

/** `ai-mint reconcile` with the executor's settings: what it says where its code is not 0. */
export const reconcile = (env: Readonly<Record<string, string>>, cwd: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.callback((resume) => {
    const args = ["--import", join(ROOT, "dist/guard.js"), join(ROOT, "dist/cli/main.js"), "reconcile", "--direct"]
    const own = { cwd, env: { PATH: process.env["PATH"], ...env, LOG_LEVEL: "ERROR" } }
    execFile(process.execPath, args, own, (error, stdout, stderr) =>
      resume(
        Effect.succeed(error === null ? [] : [`ai-mint reconcile ended with code ${error.code}:\n${stdout}${stderr}`])
      )
    )
  })
