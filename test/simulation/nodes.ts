import { Effect, Layer } from "effect"
import { keccak256, toHex } from "viem"
import { type Log, logsFor } from "../../src/chain/answers.ts"
import {
  type AuthorizationQuery,
  ChainClient,
  ChainError,
  type ChainErrorReason,
  type Mined,
  type Mint,
  type Reads,
  type TransferQuery
} from "../../src/chain/ChainClient.ts"
import { type Bytes32, ZERO } from "../../src/domain/Address.ts"
import type { AuthorizationOutcome } from "../../src/domain/Authorization.ts"
import { sum, usdc } from "../../src/domain/Usdc.ts"
import { AGAIN } from "../../src/chain/heads.ts"
import { BLOCK_MS, type MintEvent, type Transfer } from "./Chain.ts"
import { type Sender, sender } from "./gas.ts"
import { interposed, type Process } from "./Process.ts"
import type { World } from "./World.ts"

const GENESIS = keccak256(toHex("genesis"))
const RPC_TIMEOUT_MS = 10_000

const fail = (reason: ChainErrorReason, operation: string, detail: string) =>
  Effect.fail(new ChainError({ reason, operation, detail }))

/** Where a log is. A transaction here has one transfer of USDC at most. */
interface Place {
  readonly tx: Bytes32
  readonly block: number
  readonly logIndex?: number
}

const toLog = ({ tx, block, logIndex = 0 }: Place): Log => ({
  address: ZERO,
  topics: [],
  data: "0x",
  block: BigInt(block),
  blockHash: undefined,
  timeMs: undefined,
  tx,
  logIndex
})

/** As the client takes an answer in which a log comes twice. */
const eachOnce = <A extends Place>(logs: ReadonlyArray<A>): ReadonlyArray<A> => {
  const filter = { address: ZERO, topics: [], fromBlock: 0n, toBlock: BigInt(Number.MAX_SAFE_INTEGER) }
  const sent = logs.map((log) => ({ ...toLog(log), removed: false }))
  return logsFor(filter, sent).map(({ tx, logIndex }) =>
    logs.find((log) => log.tx === tx && (log.logIndex ?? 0) === logIndex)!
  )
}

/** Mints of one transaction differ in their number alone, as far as its logs are there. */
const numbered = (events: ReadonlyArray<MintEvent>): ReadonlyArray<Mint> =>
  [...Map.groupBy(events, ({ tx }) => tx).values()].flatMap((ofOne) =>
    ofOne.map(({ tx, logIndex, block }, part) => ({ tx, part, logIndex, block: BigInt(block) }))
  )

/** How many blocks the node that a process asks is behind at this moment. */
const lagOf = ({ faults, timeline, trace }: World, process: Process): number => {
  if (faults.strikes("rpc lagging node, unnoticed")) {
    const random = faults.random("rpc lagging node, unnoticed")
    process.lagBlocks = random.pick([1, 2, 5, 20, 60, 200])
    process.lagUntilMs = timeline.nowMs + random.int(2, 90) * 1000
    trace.say(process.name, `asks a node that is ${process.lagBlocks} block(s) behind`)
  }
  return timeline.nowMs < process.lagUntilMs && !faults.isHealed ? process.lagBlocks : 0
}

/** What may go wrong with any question. */
const troubleOf = (world: World, process: Process, operation: string) => {
  const { faults, timeline } = world
  if (timeline.nowMs < world.rpcOutageUntilMs) return fail("Unavailable", operation, "no node answers")
  if (faults.strikes("rpc error")) {
    const reason = faults.random("rpc error").pick(["Unavailable", "RateLimited", "Rejected", "Unreadable"] as const)
    return fail(reason, operation, "the node said so")
  }
  if (faults.strikes("rpc hang")) {
    return Effect.andThen(process.wait(RPC_TIMEOUT_MS), fail("Timeout", operation, "no answer"))
  }
  return faults.strikes("rpc lagging node, and says so") ? fail("Lagging", operation, "the node is behind") : undefined
}

/**
 * The chain as one process sees it, through nodes that fail over to each other: by the contract of `ChainClient`, reads
 * of one client never go back, and a node that cannot follow says so.
 */
export const nodes = (world: World, process: Process): Layer.Layer<ChainClient> => {
  const { chain, confirmations, faults } = world

  const ask = <A>(operation: string, answer: () => Effect.Effect<A, ChainError>): Effect.Effect<A, ChainError> =>
    Effect.suspend(() => {
      const trouble = troubleOf(world, process, operation)
      const [out, back] = [world.latencyMs(), world.latencyMs()]
      const answered = trouble ?? Effect.andThen(process.wait(out), Effect.suspend(answer))
      return back === 0 ? answered : Effect.tap(answered, () => process.wait(back))
    })

  const confirmed = <A>(operation: string, answer: (block: number) => A | Effect.Effect<never, ChainError>) =>
    Effect.suspend(() => {
      const before = process.served
      const head = chain.head - lagOf(world, process)
      if (head < before) {
        faults.count("rpc lagging node, and says so")
        return fail("Lagging", operation, `the node is at block ${head}, and block ${before} was seen before`)
      }
      const block = Math.max(head - (confirmations - 1), before)
      return ask(operation, () => {
        const answered = answer(block)
        if (Effect.isEffect(answered)) return answered as Effect.Effect<never, ChainError>
        process.served = Math.max(process.served, block)
        return Effect.succeed(answered)
      })
    })

  const hasNoLogs = () => faults.strikes("rpc without logs")

  /** Whether the logs of a block are there, as its state is. */
  const hasLogsOf = (block: number): boolean =>
    faults.isHealed || world.timeline.nowMs >= world.logsTo.untilMs || block <= world.logsTo.block

  /** What a node gives of the logs: some of them not, or each of them twice, which the client takes for one. */
  const shown = <A extends Place>(all: ReadonlyArray<A>): ReadonlyArray<A> => {
    const logs = all.filter(({ block }) => hasLogsOf(block))
    if (logs.length === 0) return logs
    if (faults.strikes("rpc with a part of the logs")) {
      const random = faults.random("rpc with a part of the logs")
      const left = random.int(0, logs.length - 1)
      return logs.filter((_, index) => index !== left && random.chance(0.6))
    }
    return faults.strikes("rpc with logs twice") ? eachOnce(logs.flatMap((log) => [log, log])) : logs
  }

  /** By the contract of `ChainClient`, another node is asked where the logs come to less than the balance says. */
  const fullest = (logs: ReadonlyArray<Transfer>, of: "from" | "to", atLeast: TransferQuery["atLeast"]) => {
    const known = shown(logs)
    const isShort = [...(atLeast ?? [])].some(
      ([wallet, amount]) => sum(known.filter((log) => log[of] === wallet).map((log) => usdc(log.amount))) < amount
    )
    const other = isShort ? shown(logs) : known
    return other.length > known.length ? other : known
  }

  const withHash = (outcome: AuthorizationOutcome): AuthorizationOutcome =>
    outcome._tag === "Used" ? { ...outcome, blockHash: chain.hashAt(Number(outcome.block)) } : outcome

  const outcomeAt =
    (block: number) =>
    ({ payer, nonce }: AuthorizationQuery): AuthorizationOutcome => {
      const outcome = withHash(chain.outcome(payer, nonce, block))
      const isExplained = !("block" in outcome) || (hasLogsOf(Number(outcome.block)) && !hasNoLogs())
      return isExplained ? outcome : { _tag: "Unexplained" }
    }

  /** What went into wallets or out of them. */
  const transfersOf = <A>(
    operation: string,
    of: "from" | "to",
    { wallets, fromBlock, toBlock, atLeast }: TransferQuery,
    more: (transfer: Transfer) => A
  ) =>
    ask(operation, () => {
      if (hasNoLogs()) return fail("Rejected", operation, "the range is too large")
      const head = chain.head - lagOf(world, process)
      if (BigInt(head) < toBlock) return fail("Lagging", operation, `the node is at block ${head}`)
      const logs = wallets
        .flatMap((wallet) => chain.transfersOf(wallet).filter((one) => one[of] === wallet))
        .filter(
          ({ block, from, to }) =>
            BigInt(block) >= fromBlock && BigInt(block) <= toBlock && (of === "from" || from !== to)
        )
        .toSorted((a, b) => a.block - b.block)
      return Effect.succeed(
        fullest(logs, of, atLeast).map((one) => {
          const { from, to, amount, tx } = one
          return { from, to, wallet: one[of], amount: usdc(amount), tx, ...more(one) }
        })
      )
    })

  /** `at`: in which block is read. */
  const readsOf = (at: typeof confirmed): Reads => ({
    readHashes: (blocks) =>
      ask("read block hashes", () =>
        blocks.some((block) => block > chain.head)
          ? fail("Lagging", "read block hashes", `the node is at block ${chain.head}`)
          : Effect.succeed(blocks.map((block) => chain.hashAt(Number(block))))
      ),
    readBalances: (wallets, payments = []) =>
      at("read balances", (block) => ({
        block: chain.blockAt(block),
        usdc: new Map(wallets.map((wallet) => [wallet, usdc(chain.balance(wallet, block))])),
        isPaused: chain.isPaused,
        outcomes: payments.map(outcomeAt(block))
      })),
    readAuthorizations: (queries, parties = []) =>
      at("look up authorizations", (block) => ({
        block: chain.blockAt(block),
        usdc: chain.usdcState(parties),
        outcomes: queries.map(outcomeAt(block))
      })),
    findMints: ({ token, recipient, fromBlock, everywhere = false }) =>
      at("find mints", (block) => {
        if (hasNoLogs()) return fail("Rejected", "find mints", "the range is too large")
        const mints = chain
          .mintsOf(token, recipient)
          .filter((mint) => BigInt(mint.block) >= fromBlock && mint.block <= block)
        // One node of the list has them all, up to where there are logs.
        const known = everywhere ? mints.filter(({ block }) => hasLogsOf(block)) : shown(mints)
        if (known.length >= mints.length) process.looked.set(token + recipient, block)
        return numbered(known).map((mint) => ({ ...mint, blockHash: chain.hashAt(Number(mint.block)) }))
      }),
    findDeposits: (query) =>
      transfersOf("find deposits", "to", query, (one) => ({
        logIndex: chain.forksBelow(one.block),
        block: chain.blockAt(one.block)
      }))
  })

  /** A single node, with a lag and faults of its own. */
  const from =
    (number: number): typeof confirmed =>
    (operation, answer) =>
      ask(operation, () => {
        const head = chain.head - lagOf(world, process)
        if (head < number) return fail("Lagging", operation, `the node is at block ${head}`)
        const answered = answer(number)
        return Effect.isEffect(answered) ? (answered as Effect.Effect<never, ChainError>) : Effect.succeed(answered)
      })

  const reads: Omit<ChainClient["Service"], keyof Sender> = {
    ...readsOf(confirmed),
    witnesses: (block) => Effect.succeed(["one", "two"].map((host) => ({ host, ...readsOf(from(Number(block))) }))),
    genesis: GENESIS,
    nodes: Effect.succeed([]),
    confirmedBlock: confirmed("read the confirmed block", (block) => chain.blockAt(block)),
    confirmedBlockNow: confirmed("read the confirmed block", (block) => chain.blockAt(block)),
    subscriptions: Effect.succeed([]),
    nextHead: process.wait(AGAIN * BLOCK_MS),
    newHead: ask("ask for a new block", () => Effect.succeed(BigInt(chain.head - lagOf(world, process)))),
    findPaid: ({ wallets, fromBlock, toBlock }) =>
      ask("look for payments in new blocks", () =>
        chain.head - lagOf(world, process) < Number(toBlock)
          ? fail("Lagging", "look for payments in new blocks", "the node is behind")
          : Effect.succeed(
              new Set(
                shown(chain.transfers)
                  .filter(({ to }) => wallets === undefined || wallets.includes(to))
                  .filter(({ block }) => BigInt(block) >= fromBlock && BigInt(block) <= toBlock)
                  .map(({ to }) => to)
              )
            )
      ),
    readMined: (txs) =>
      confirmed("look up transactions", (block) => {
        const isMined = (tx: Bytes32) => (chain.blockOf(tx) ?? Number.POSITIVE_INFINITY) <= block
        return new Map(txs.filter(isMined).map((tx): readonly [Bytes32, Mined] => [tx, "succeeded"]))
      }),
    usdcCode: confirmed("read the code of USDC", () => chain.usdcCode),
    usdcCodes: confirmed("read the code of USDC", () => [chain.usdcCode]),
    usdcState: (accounts) => ask("ask whether USDC moves", () => Effect.succeed(chain.usdcState(accounts))),
    readRemainingSupply: (token) => confirmed("read the supply", (block) => chain.remaining(token, block)),
    readPortion: () => confirmed("read the portion of a mint", () => undefined),
    findSpending: (query) =>
      transfersOf("find spending", "from", query, ({ block, nonce }) => ({ logIndex: 0, block: BigInt(block), nonce })),
    codeOf: () => ask("read the code of an account", () => Effect.succeed(undefined)),
    paidSince: ({ payer, payTo, sinceMs }) =>
      confirmed("sum payments", (number) =>
        sum(
          chain
            .transfersOf(payer)
            .filter(
              ({ from, to, block, timeMs }) => from === payer && to === payTo && block <= number && timeMs >= sinceMs
            )
            .map(({ amount }) => usdc(amount))
        )
      )
  }
  // Whether there is a gas account may change.
  const client: ChainClient["Service"] = Object.assign(sender(world, process, ask), reads)
  return Layer.succeed(
    ChainClient,
    interposed(client, (name, work) => process.does(name, work))
  )
}
