import { type Address, ZERO } from "../../src/domain/Address.ts"
import type { TaskId } from "../../src/domain/Task.ts"
import type { WalletId } from "../../src/domain/Wallet.ts"
import { BLOCK_MS, digest } from "./Chain.ts"
import type { World } from "./World.ts"

const MINUTE_MS = 60_000

/** What v1.1 minted at once. */
const BATCH = 10

/** What became of its last payment, of which it counted no mint. */
const FATES: ReadonlyArray<"none" | "landed" | "in the air"> = ["none", "landed", "in the air"]

interface Owner {
  readonly walletId: WalletId
  readonly userAddress: Address
  readonly agentAddress: Address
}

/**
 * An order that a v1.1 executor was minting when it was stopped for good: funded, paid for and counted in part. Its last
 * payment it may not have counted: that landed before it died, or lands within the hour for which it is valid.
 */
export const leaveBehind = (world: World, { walletId, userAddress, agentAddress }: Owner, id: TaskId): void => {
  const { byV1, chain, faults, ledger, oracle, timeline, tokens, trace } = world
  const random = faults.random("order left behind by v1.1")
  const token = random.pick(tokens)
  const price = world.priceOf(token)
  const quantity = random.pick([10, 20, 25])
  const counted = random.pick([0, 10, 10])
  const quietMinutes = random.pick([1, 20, 45, 59, 61, 200])
  const blockAgo = (minutes: number): number => chain.head - Math.floor((minutes * MINUTE_MS) / BLOCK_MS)

  const pay = (block: number, mints: number): void => {
    const nonce = digest(`payment of v1.1 in block ${block} for ${id}`)
    byV1.paid.set(nonce, id)
    chain.transfer({ from: agentAddress, to: token, amount: price * BigInt(mints), block, nonce })
    trace.say("v1.1", `paid for ${mints} mint(s) of ${id.slice(0, 8)} in block ${block}`)
  }

  const amount = price * BigInt(quantity)
  chain.transfer({ from: ZERO, to: agentAddress, amount, block: blockAgo(quietMinutes + 8), nonce: undefined })
  if (counted > 0) {
    const block = blockAgo(quietMinutes + 4)
    pay(block, counted)
    chain.mint({ token, recipient: userAddress, nonce: digest(`mint of v1.1 for ${id}`) }, counted, block)
  }
  const last = Math.min(BATCH, quantity - counted)
  const fate = last === 0 ? "none" : random.pick(FATES)
  if (fate === "landed") pay(blockAgo(quietMinutes + 1), last)
  if (fate === "in the air" && quietMinutes < 60) {
    const landsMs = random.int(0, (60 - quietMinutes) * MINUTE_MS - 10_000)
    timeline.after(landsMs, () =>
      chain.submit((block) => chain.balance(agentAddress) >= price * BigInt(last) && pay(block, last))
    )
  }
  const atMs = (minutes: number): number => timeline.nowMs - minutes * MINUTE_MS
  const order = { id, walletId, userAddress, token, quantity, pricePerMint: price, totalCost: amount }
  ledger.insertOrder({ ...order, createdAtMs: atMs(quietMinutes + 9) })
  ledger.editOrder(id, {
    status: "processing",
    mintsCompleted: counted,
    startedAtMs: atMs(quietMinutes + 5),
    updatedAtMs: atMs(quietMinutes)
  })
  byV1.counted.set(id, counted)
  oracle.funded.add(id)
  trace.say(
    "v1.1",
    `left ${id.slice(0, 8)} in processing, ${counted} of ${quantity} counted, quiet for ${quietMinutes} m`
  )
}
