import { Clock, Effect, Layer } from "effect"
import { keccak256, toHex } from "viem"
import { ChainClient, ChainError, type Reads } from "../../src/chain/ChainClient.ts"
import { Facilitator } from "../../src/chain/Facilitator.ts"
import { Settings } from "../../src/config/Settings.ts"
import type { AuthorizationOutcome } from "../../src/domain/Authorization.ts"
import type { Block } from "../../src/domain/Block.ts"
import { sum, times } from "../../src/domain/Usdc.ts"
import { Minter } from "../../src/mint/Minter.ts"
import { World, type WorldState } from "./World.ts"

/** The node that is asked first, and one that is asked where one node's word is not enough. */
export const FIRST = "node.test"
export const SECOND = "other.test"

/** What a node answers from a block. */
const readsOf = (world: WorldState, host: string, at: () => Block): Reads => {
  const read = <A>(call: string, answer: (block: Block) => A) =>
    Effect.gen(function* () {
      world.calls.push(call)
      yield* world.onChainCall(call)
      if (world.silent === host) return yield* silence(call)
      return world.chainFault === undefined ? answer(at()) : yield* world.chainFault
    })
  return {
    readHashes: (blocks) =>
      read("readHashes", () => blocks.map((block) => world.onHash?.(block, host) ?? world.hashAt(block))),
    readBalances: (wallets, payments = []) =>
      read("readBalances", (block) => {
        world.walletsLookedAt.push(...wallets)
        return {
          block,
          usdc: new Map(wallets.map((wallet) => [wallet, world.balance(wallet, block.number)])),
          isPaused: world.isPaused,
          outcomes: payments.map(({ payer, nonce }) => withHash(world, world.outcome(payer, nonce, block.number)))
        }
      }),
    readAuthorizations: (queries, parties = []) =>
      read("readAuthorizations", (block) => ({
        block,
        usdc: world.usdcState(parties),
        outcomes: queries.map(({ payer, nonce }) => withHash(world, world.outcome(payer, nonce, block.number)))
      })),
    findMints: ({ token, recipient, fromBlock, portion }) =>
      read("findMints", (block) => {
        world.portionsAsked.push(portion)
        return world.mints
          .filter(() => world.withoutLogs !== host)
          .filter(
            (mint) =>
              mint.token === token &&
              mint.recipient === recipient &&
              mint.block >= fromBlock &&
              mint.block <= block.number
          )
          .map((mint) => ({
            ...mint,
            logIndex: mint.logIndex + world.logShift,
            blockHash: world.hashAt(mint.block)
          }))
      }),
    findDeposits: ({ wallets, fromBlock, toBlock, atLeast }) =>
      read("findDeposits", () => {
        world.onDepositSearch({ fromBlock, toBlock })
        return world.transfers
          .filter(() => world.withoutLogs !== host)
          .filter(({ to }) => !world.firstLacksLogs || atLeast?.has(to))
          .filter(({ block }) => world.logsTo === undefined || block <= world.logsTo)
          .filter(({ to, block }) => wallets.includes(to) && block >= fromBlock && block <= toBlock)
          .map(({ from, to, amount, tx, block, logIndex = 0 }) => ({
            wallet: to,
            from,
            amount,
            tx,
            logIndex,
            block: { number: block, timeMs: world.timeOf(block) }
          }))
      })
  }
}

export const silence = (operation: string) => new ChainError({ reason: "Unavailable", operation, detail: "no answer" })

const withHash = (world: WorldState, outcome: AuthorizationOutcome): AuthorizationOutcome =>
  outcome._tag === "Used" ? { ...outcome, blockHash: world.hashAt(outcome.block) } : outcome

/** The chain, as the executor asks it. */
const chain = Layer.effect(
  ChainClient,
  Effect.map(World, (world) => {
    const ofList = readsOf(world, FIRST, () => world.confirmed)
    const read = <A>(call: string, answer: (block: Block) => A) =>
      Effect.gen(function* () {
        world.calls.push(call)
        yield* world.onChainCall(call)
        return world.chainFault === undefined ? answer(world.confirmed) : yield* world.chainFault
      })
    return ChainClient.of({
      genesis: keccak256(toHex("genesis")),
      nodes: Effect.sync(() => {
        const [head, headTimeMs] = [world.head - world.lagBlocks, world.timeOf(world.head - world.lagBlocks)]
        const problem = world.chainFault?.message
        const found = problem === undefined ? { head, headTimeMs } : { head: undefined, headTimeMs: undefined }
        return [{ host: FIRST, ...found, tookMs: 1, problem }]
      }),
      ...ofList,
      witnesses: (number) =>
        Effect.succeed(
          [FIRST, SECOND].map((host) => ({
            host,
            ...readsOf(world, host, () => ({ number, timeMs: world.timeOf(number) }))
          }))
        ),
      confirmedBlock: read("confirmedBlock", (block) => block),
      confirmedBlockNow: read("confirmedBlock", (block) => block),
      subscriptions: Effect.sync(() => world.subscriptions),
      nextHead: Effect.sleep("1 second"),
      newHead: read("newHead", () => world.head - world.lagBlocks),
      findPaid: ({ wallets, fromBlock, toBlock }) =>
        read("findPaid", () => {
          const paid = world.transfers.filter(({ block }) => block >= fromBlock && block <= toBlock).map(({ to }) => to)
          return new Set(paid.filter((to) => wallets === undefined || wallets.includes(to)))
        }),
      readMined: (txs) => read("readMined", ({ number }) => world.mined(txs, number)),
      usdcCode: read("usdcCode", () => world.codeTold ?? world.usdcCode),
      usdcCodes: read("usdcCodes", () => [world.codeTold ?? world.usdcCode, ...world.codesBeside]),
      usdcState: (accounts) => read("usdcState", () => world.usdcState(accounts)),
      readRemainingSupply: () => read("readRemainingSupply", () => world.supply),
      readPortion: () => read("readPortion", () => world.portion),
      findSpending: ({ wallets, fromBlock, toBlock, atLeast }) =>
        read("findSpending", () =>
          world.transfers
            .filter(({ from }) => !world.firstLacksLogs || atLeast?.has(from))
            .filter(({ from, block }) => wallets.includes(from) && block >= fromBlock && block <= toBlock)
            .map(({ from, to, amount, tx, block }) => {
              return { wallet: from, to, amount, tx, logIndex: 0, block, nonce: world.nonceOf(tx) }
            })
        ),
      codeOf: (account) => read("codeOf", () => world.codes.get(account)),
      get gasAccount() {
        return world.gasAccount
      },
      gasBalance: read("gasBalance", () => world.gas),
      sendTransfer: (payment) => read("sendTransfer", () => world.submit(payment)),
      paidSince: ({ payer, payTo, sinceMs }) =>
        read("paidSince", () =>
          sum(
            world
              .paidBy(payer)
              .filter(({ to, block }) => to === payTo && world.timeOf(block) >= sinceMs)
              .map(({ amount }) => amount)
          )
        )
    })
  })
)

/** The mint server, as the executor meets it. */
const minter = Layer.effect(
  Minter,
  Effect.gen(function* () {
    const world = yield* World
    const { network } = yield* Settings
    return Minter.of({
      asksForPrice: true,
      get takesAgain() {
        return world.takesAgain
      },
      follow: (reference) => Effect.sync(() => world.follows(reference)),
      ping: Effect.sync(() => ({ tookMs: 1, problem: world.unreachable })),
      quote: Effect.fnUntraced(function* (order) {
        world.quotedAtMs.push(yield* Clock.currentTimeMillis)
        yield* world.manners.delay?.("quote", order) ?? Effect.void
        const refused = world.manners.quote?.(order)
        if (refused !== undefined) return yield* refused
        const amount = world.manners.price?.(order) ?? times(world.pricePerMint, order.quantity)
        const offer = { scheme: "exact", network: `eip155:${network.chainId}`, asset: network.usdc.address }
        const usual = { ...offer, payTo: order.token, amount, maxTimeoutSeconds: 300 }
        const offers = [world.manners.offer?.(usual) ?? usual]
        return { offers, challenge: undefined }
      }),
      pay: Effect.fnUntraced(function* (order, _quote, _offer, payment) {
        yield* world.manners.delay?.("pay", order) ?? Effect.void
        const answer = world.answer(order, payment)
        return Effect.isEffect(answer) ? yield* answer : answer
      })
    })
  })
)

/** The facilitator, as a client's payment meets it. */
const facilitator = Layer.effect(
  Facilitator,
  Effect.map(World, (world) =>
    Facilitator.of({
      get canSettle() {
        return world.gasAccount !== undefined
      },
      verify: (payment) =>
        Effect.gen(function* () {
          if (world.chainFault !== undefined) return yield* world.chainFault
          const verdict = world.verdict(payment)
          // As the official scheme: the signature first, the nonce last.
          if (verdict._tag === "Unsound" && verdict.reason === "invalid_exact_evm_signature") return verdict
          return world.isSpent(payment) ? SPENT : verdict
        }),
      settle: (payment) => Effect.suspend(() => world.settlement(payment))
    })
  )
)

const SPENT = { _tag: "Unsound", reason: "invalid_exact_evm_nonce_already_used" } as const

/** What the executor sees of a `World`. */
export const outside = Layer.mergeAll(chain, minter, facilitator)
