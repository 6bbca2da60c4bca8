import { createAdaptorServer, type ServerType } from "@hono/node-server"
import { Effect, FiberSet, Semaphore } from "effect"
import { type Context, Hono } from "hono"
import type { AddressInfo } from "node:net"
import { encodeFunctionData, type Hex, parseAbi } from "viem"
import { local } from "../../src/config/Network.ts"
import { type Address, type Bytes32, parse } from "../../src/domain/Address.ts"
import { type DevChain, type DevChainError, roles } from "../../src/sandbox/DevChain.ts"
import { mintTokenAbi } from "../../src/sandbox/mintToken.ts"
import {
  type Answer,
  type Authorization,
  check,
  clearAway,
  fault,
  queue,
  type V1Mint,
  type V1Payment,
  type V1Request
} from "./v1Rules.ts"

const usdcAbi = parseAbi([
  "function transferWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, bytes signature)"
])

/** What it does other than to settle, queue everything, answer and mint. */
export interface V1Manners {
  /** Answers 408 before it has settled. `settleLate` settles. */
  answersLate?: boolean
  /** Mints that are queued of those that were paid. None: it answers 500. */
  queues?: (quantity: number) => number
  /** Mints nothing until `mintQueued`. */
  holdsMints?: boolean
}

/**
 * The mint server of v1.1 on a real chain: its rules in their order, its words, its float and its faults. Knows no
 * nonce that it has seen, and clears away what else the payer has queued for a token when a payment of theirs fails.
 * `prices` are texts as its database has them: `8.2 USDC`.
 *
 * Not here: that it waits 30 s for a payment, and that two of its mints can get the same id.
 */
export const serve = Effect.fnUntraced(function* (chain: DevChain, prices: ReadonlyMap<Address, string>) {
  const run = yield* FiberSet.makeRuntimePromise()
  const manners: V1Manners = {}
  const requests: Array<V1Request> = []
  const payments: Array<V1Payment> = []
  const mints: Array<V1Mint> = []
  const { submit, mint } = onChain(chain)
  const worker = yield* Semaphore.make(1)

  /** Mints all that is queued. */
  const mintQueued = Effect.suspend(() =>
    Effect.forEach(
      mints.filter(({ status }) => status === "pending"),
      (one) =>
        Effect.match(mint(one), {
          onSuccess: () => void (one.status = "completed"),
          onFailure: () => void (one.status = "failed")
        }),
      { discard: true }
    )
  ).pipe(Semaphore.withPermits(worker, 1))

  const settle = Effect.fnUntraced(function* (payment: V1Payment) {
    const settled = yield* Effect.result(submit(payment.authorization))
    if (settled._tag === "Failure") {
      payment.status = "failed"
      payment.error = settled.failure.message
      clearAway(mints, payment)
      return []
    }
    payment.status = "completed"
    payment.txHash = settled.success
    const queued = queue(payment, manners.queues?.(payment.quantity) ?? payment.quantity, mints.length)
    mints.push(...queued)
    return queued
  })

  const sell = Effect.fnUntraced(function* (token: Address | undefined, request: V1Request) {
    requests.push(request)
    const order = check(token, request, prices)
    if ("fault" in order) return order.fault
    const payment: V1Payment = { ...order, id: `${payments.length + 1}`, status: "pending", txHash: null, error: null }
    payments.push(payment)
    if (manners.answersLate === true) {
      const message = "Payment is still being processed - check status later"
      return [408, { error: "Payment processing timeout", message, paymentQueueId: payment.id }] satisfies Answer
    }
    const queued = yield* settle(payment)
    if (payment.error !== null) return fault(400, "Payment processing failed", payment.error)
    if (queued.length === 0) return fault(500, "Mints not found", "Payment completed but mints were not created")
    const queueIds = queued.map(({ id }) => id)
    const paid = { quantity: queued.length, paymentTxHash: payment.txHash, payer: order.authorization.from }
    return [200, { success: true, queueId: queueIds[0], queueIds, ...paid }] satisfies Answer
  })

  const app = new Hono()
    .post("/api/mint/:token", async (c) => {
      const request: V1Request = await c.req.json()
      const answer = await run(sell(parse(c.req.param("token")), request))
      // What it has not minted when it ends, it has not minted.
      if (manners.holdsMints !== true) run(mintQueued).catch(() => undefined)
      return respond(c, answer)
    })
    .get("/api/payment/:id", (c) => {
      const payment = payments.find(({ id }) => id === c.req.param("id"))
      if (payment === undefined) return c.json({ error: "Payment not found" }, 404)
      const { id, status, txHash, error } = payment
      return c.json({ paymentId: id, paymentType: "mint", status, txHash, error })
    })
  return {
    url: yield* listen(app),
    manners,
    /** What arrived, oldest first. */
    requests,
    payments,
    mints,
    mintQueued,
    /** Settles what was answered with 408, and mints it. */
    settleLate: Effect.suspend(() =>
      Effect.forEach(
        payments.filter(({ status }) => status === "pending"),
        settle
      )
    ).pipe(Effect.andThen(mintQueued))
  }
})

/** What it does on the chain, as an account of its own: the tokens' minter. */
const onChain = (chain: DevChain) => {
  const transact = (operation: string, to: Address, data: Hex): Effect.Effect<Bytes32, DevChainError> =>
    chain.send(operation, roles.mintServer, { to, data }).pipe(
      Effect.flatMap((hash) => chain.receipt(operation, hash)),
      Effect.map(({ transactionHash }) => transactionHash)
    )
  return {
    submit: ({ from, to, value, validAfter, validBefore, nonce, signature }: Authorization) =>
      transact(
        "settle",
        local.usdc.address,
        encodeFunctionData({
          abi: usdcAbi,
          functionName: "transferWithAuthorization",
          args: [from as Hex, to as Hex, BigInt(value), BigInt(validAfter), BigInt(validBefore), nonce, signature]
        })
      ),
    mint: ({ token, recipient, mintId }: V1Mint) =>
      transact(
        "mint",
        token,
        encodeFunctionData({ abi: mintTokenAbi, functionName: "mint", args: [recipient, [mintId]] })
      )
  }
}

const respond = (c: Context, [status, body]: Answer): Response => c.json(body, status)

const listen = Effect.fnUntraced(function* ({ fetch }: Pick<Hono, "fetch">) {
  const server = yield* Effect.acquireRelease(
    Effect.callback<ServerType>((resume) => {
      const listening = createAdaptorServer({ fetch })
      listening.listen(0, "127.0.0.1", () => resume(Effect.succeed(listening)))
    }),
    (listening) => Effect.sync(() => listening.close())
  )
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
