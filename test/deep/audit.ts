import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { parseAbiItem } from "viem"
import type { Address } from "../../src/domain/Address.ts"
import type { DevChain } from "../../src/sandbox/DevChain.ts"
import { PRICE, USDC } from "../e2e/baseSepolia.ts"
import { mintsTo } from "../e2e/support.ts"
import type { Person } from "../support/orders.ts"

const used = parseAbiItem("event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce)")
const transferred = parseAbiItem("event Transfer(address indexed from, address indexed to, uint256 value)")
const minted = parseAbiItem("event TokensMinted(address indexed to, uint256 amount, bytes32 id)")

interface Row {
  readonly number: number
  readonly status: string
  readonly nonce: string
  readonly payment_tx: string | null
  readonly paid_amount: string | null
  readonly minted: number
  readonly quantity: number
}

/** What the chain's logs say of a wallet: every nonce that it used, and what left it in that transaction. */
export const paymentsOf = Effect.fnUntraced(function* (chain: DevChain, wallet: Address) {
  const range = { address: USDC, fromBlock: 0n } as const
  const nonces = yield* chain.ask("read the nonces", (client) =>
    client.getLogs({ ...range, event: used, args: { authorizer: wallet } })
  )
  const transfers = yield* chain.ask("read the transfers", (client) =>
    client.getLogs({ ...range, event: transferred, args: { from: wallet } })
  )
  assert.strictEqual(transfers.length, nonces.length, "money left the wallet by authorizations only")
  return nonces.map(({ args, transactionHash, logIndex }) => {
    // USDC logs the use of a nonce, and right after it the transfer that it was used for.
    const transfer = transfers.find((one) => one.transactionHash === transactionHash && one.logIndex > logIndex)
    return { nonce: args.nonce ?? "", payment_tx: transactionHash, paid_amount: String(transfer?.args.value) }
  })
})

const byNonce = <A extends { readonly nonce: string }>(rows: ReadonlyArray<A>): ReadonlyArray<A> =>
  rows.toSorted((a, b) => a.nonce.localeCompare(b.nonce))

const isPaid = ({ paid_amount }: Row): boolean => paid_amount !== null

/** The table of an order, told by the chain's logs alone: payments, counters and records of mints. */
export const audit = Effect.fnUntraced(function* (
  chain: DevChain,
  order: { readonly id: string; readonly who: Person; readonly token: Address; readonly name: string }
) {
  const sql = yield* SqlClient.SqlClient
  const { id, who, token, name } = order
  const batches = yield* sql<Row>`
    SELECT number, status, nonce, payment_tx, paid_amount::text AS paid_amount, minted, quantity
    FROM ai_agent_batches WHERE task_id = ${id}::uuid ORDER BY number`
  const paid = yield* paymentsOf(chain, who.agentAddress)
  const told = batches.filter(isPaid).map(({ nonce, payment_tx, paid_amount }) => ({ nonce, payment_tx, paid_amount }))
  assert.deepStrictEqual(byNonce(told), byNonce(paid), `${name}: what is paid on chain and what the table says`)
  for (const { paid_amount, quantity } of batches.filter(isPaid)) {
    assert.strictEqual(BigInt(paid_amount ?? 0), PRICE * BigInt(quantity), `${name}: the price of a batch`)
  }

  const logs = yield* chain.ask("read the mints", (client) =>
    client.getLogs({ address: token, event: minted, args: { to: who.userAddress }, fromBlock: 0n })
  )
  const keys = logs.map(({ transactionHash, logIndex }) => `${transactionHash}:${logIndex}`)
  const claimed = yield* sql<{ readonly key: string }>`
    SELECT tx_hash || ':' || log_index AS key FROM ai_agent_batch_mints WHERE task_id = ${id}::uuid`
  assert.sameMembers(
    claimed.map(({ key }) => key),
    keys,
    `${name}: each mint belongs to one batch`
  )
  const [task] = yield* sql<{ readonly mints_completed: number; readonly mints_failed: number }>`
    SELECT mints_completed, mints_failed FROM ai_agent_tasks WHERE id = ${id}::uuid`
  const records = yield* sql<{ readonly tx_hash: string; readonly status: string; readonly mint_number: number }>`
    SELECT tx_hash, status, mint_number FROM ai_agent_mint_records WHERE task_id = ${id}::uuid ORDER BY mint_number`
  const count = yield* mintsTo(chain, token, who.userAddress)
  const inBatches = batches.reduce((sum, one) => sum + one.minted, 0)
  assert.deepStrictEqual([task?.mints_completed, inBatches, records.length], [count, count, count], `${name}: counts`)
  assert.deepStrictEqual(
    records.map(({ mint_number }) => mint_number),
    Array.from({ length: count }, (_, index) => index + 1),
    `${name}: a record for each mint`
  )
  assert.sameMembers(
    records.map(({ tx_hash }) => tx_hash),
    logs.map(({ transactionHash }) => transactionHash),
    `${name}: the records name the transactions`
  )
  return { payments: paid.length, mints: count }
})
