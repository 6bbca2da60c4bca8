import { decodePaymentSignatureHeader, encodePaymentRequiredHeader, encodePaymentResponseHeader } from "@x402/core/http"
import { Effect } from "effect"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"
import { setTimeout } from "node:timers/promises"
import { encodeFunctionData, type Hex, parseAbi } from "viem"
import { baseSepolia } from "../../src/config/Network.ts"
import { address } from "../../src/domain/Address.ts"
import { roles } from "../../src/sandbox/DevChain.ts"
import { mintIds } from "../../src/sandbox/mintOrder.ts"
import { mintTokenAbi } from "../../src/sandbox/mintToken.ts"
import { PRICE } from "../e2e/baseSepolia.ts"

const NETWORK = `eip155:${baseSepolia.chainId}` as const

const transferAbi = parseAbi([
  "function transferWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, bytes signature)"
])

/** More than a payment, or a mint of ten, uses. */
const GAS: Hex = "0xc3500"

/** A new block is seen so long after it was made, at the latest. */
const POLL_MS = 50

interface RpcAnswer {
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

/** What is sent in the same moment travels in one request. The node signs: the mint server's account is one of its own. */
const openSender = (rpcUrl: string) => {
  type Waiting = { readonly call: unknown } & Pick<PromiseWithResolvers<RpcAnswer>, "resolve" | "reject">
  let waiting: Array<Waiting> = []
  const flush = async (now: ReadonlyArray<Waiting>) => {
    const body = JSON.stringify(now.map(({ call }, id) => ({ jsonrpc: "2.0", id, ...(call as object) })))
    const request = { method: "POST", headers: { "content-type": "application/json" }, body }
    const answers = (await (await fetch(rpcUrl, request)).json()) as ReadonlyArray<RpcAnswer & { readonly id: number }>
    for (const answer of answers) now[answer.id]?.resolve(answer)
  }
  return async <A>(method: string, params: ReadonlyArray<unknown>): Promise<A> => {
    const { promise, resolve, reject } = Promise.withResolvers<RpcAnswer>()
    if (waiting.length === 0)
      setImmediate(() => {
        const now = waiting
        waiting = []
        flush(now).catch((error: unknown) => now.forEach((one) => one.reject(error)))
      })
    waiting.push({ call: { method, params }, resolve, reject })
    const { result, error } = await promise
    if (error !== undefined) throw new Error(error.message)
    return result as A
  }
}

/** Sends transactions, and waits for them with one look at each block. */
const openChain = (rpcUrl: string, isClosed: () => boolean) => {
  const ask = openSender(rpcUrl)
  const waiting = new Map<string, (isDone: boolean) => void>()
  const look = async (block: number): Promise<void> => {
    type Receipt = { readonly transactionHash: string; readonly status: string }
    const receipts = await ask<ReadonlyArray<Receipt>>("eth_getBlockReceipts", [`0x${block.toString(16)}`])
    for (const { transactionHash, status } of receipts) waiting.get(transactionHash)?.(status === "0x1")
  }
  const watch = async (): Promise<void> => {
    let seen = Number(await ask<string>("eth_blockNumber", []))
    while (!isClosed()) {
      await setTimeout(POLL_MS)
      const head = Number(await ask<string>("eth_blockNumber", []))
      while (seen < head) await look(++seen)
    }
  }
  // The chain ends before this server is closed.
  void watch().catch((error: unknown) => isClosed() || console.error(`light server: ${String(error)}`))
  const from = roles.mintServer.address
  // Two transactions of one request may get the same nonce from the node.
  const first = ask<string>("eth_getTransactionCount", [from, "pending"]).then(Number)
  let sent = 0
  return async (to: string, data: Hex): Promise<string> => {
    const nonce: Hex = `0x${((await first) + sent++).toString(16)}`
    const hash = await ask<string>("eth_sendTransaction", [{ from, to, data, gas: GAS, nonce }])
    const isDone = await new Promise<boolean>((resolve) => waiting.set(hash, resolve))
    waiting.delete(hash)
    if (!isDone) throw new Error(`transaction ${hash} reverted`)
    return hash
  }
}

interface Ordered {
  readonly token: string
  readonly recipient: Hex
  readonly quantity: number
}

const offerOf = ({ token, quantity }: Ordered) => ({
  scheme: "exact",
  network: NETWORK,
  amount: String(PRICE * BigInt(quantity)),
  asset: baseSepolia.usdc.address,
  payTo: token,
  maxTimeoutSeconds: 300,
  extra: { name: baseSepolia.usdc.name, version: baseSepolia.usdc.version }
})

interface Paid {
  readonly signature: Hex
  readonly authorization: Readonly<Record<"value" | "validAfter" | "validBefore", string>> &
    Readonly<Record<"from" | "to" | "nonce", Hex>>
}

/**
 * A mint server that costs almost nothing, so that it is not what limits a rate: it answers as the sandbox's does, in
 * two blocks, and a payment that is sent again gets the answer of the first time. But it checks nothing: what is wrong
 * with a payment, USDC says.
 */
export const openLightServer = Effect.fnUntraced(function* (rpcUrl: string) {
  let isClosed = false
  const transact = openChain(rpcUrl, () => isClosed)
  const deliveries = new Map<string, Promise<{ readonly paymentTx: string; readonly mintTx: string }>>()
  const deliver = async ({ token, recipient, quantity }: Ordered, { authorization, signature }: Paid) => {
    const { from, to, value, validAfter, validBefore, nonce } = authorization
    const window = [BigInt(value), BigInt(validAfter), BigInt(validBefore)] as const
    const args = [from, to, ...window, nonce, signature] as const
    const payment = encodeFunctionData({ abi: transferAbi, functionName: "transferWithAuthorization", args })
    const paymentTx = await transact(baseSepolia.usdc.address, payment)
    const ids = mintIds({ payer: address(from), nonce }, quantity)
    const mint = encodeFunctionData({ abi: mintTokenAbi, functionName: "mint", args: [recipient, ids] })
    return { paymentTx, mintTx: await transact(token, mint) }
  }
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const token = request.url?.split("/").at(-1) ?? ""
    const ordered = { token, ...(JSON.parse(await text(request)) as Omit<Ordered, "token">) }
    const header = request.headers["payment-signature"]
    response.setHeader("content-type", "application/json")
    if (typeof header !== "string") {
      const url = `http://${request.headers.host}${request.url}`
      const required = { x402Version: 2, resource: { url }, accepts: [offerOf(ordered)] }
      const challenge = encodePaymentRequiredHeader(required as Parameters<typeof encodePaymentRequiredHeader>[0])
      response.writeHead(402, { "payment-required": challenge }).end("{}")
      return
    }
    const paid = decodePaymentSignatureHeader(header).payload as unknown as Paid
    const key = paid.authorization.nonce
    if (!deliveries.has(key)) deliveries.set(key, deliver(ordered, paid))
    const { paymentTx, mintTx } = await deliveries.get(key)!
    const receipt = { success: true, transaction: paymentTx, network: NETWORK, payer: paid.authorization.from } as const
    response.setHeader("payment-response", encodePaymentResponseHeader(receipt))
    response.end(
      JSON.stringify({ success: true, mintTxHash: mintTx, mintTxHashes: [mintTx], paymentTxHash: paymentTx })
    )
  }
  const server = yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const listening = createServer({ keepAliveTimeoutBuffer: 30_000 }, (request, response) => {
        answer(request, response).catch((error: unknown) => {
          response.writeHead(500).end(JSON.stringify({ error: String(error) }))
        })
      })
      listening.listen(0, "127.0.0.1", () => resume(Effect.succeed(listening)))
    }),
    (listening) => Effect.sync(() => ((isClosed = true), listening.close(), listening.closeAllConnections()))
  )
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
