import { decodePaymentRequiredHeader, encodePaymentSignatureHeader } from "@x402/core/http"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { privateKeyToAccount } from "viem/accounts"
import { authorizationTypes, signingDomain } from "../../../src/chain/usdc.ts"
import { baseSepolia } from "../../../src/config/Network.ts"

/** What the bare loop has to do: each wallet pays for its batches one after another, and all wallets at once. */
export interface BareMints {
  readonly serverUrl: string
  readonly token: string
  readonly wallets: ReadonlyArray<{ readonly privateKey: string; readonly userAddress: string }>
  readonly batches: number
  readonly mintsPerBatch: number
}

export interface BareMinted {
  /** When each batch was answered to, milliseconds since 1970. */
  readonly deliveredMs: ReadonlyArray<number>
  readonly cpuMs: number
}

const WINDOW_SECONDS = 300

/** A connection that the server has just closed for its idleness fails: the same request may be made again. */
const TRIES = 3

const ask = async (job: BareMints, recipient: string, headers: Record<string, string> = {}): Promise<Response> => {
  const request = {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ recipient, quantity: job.mintsPerBatch })
  }
  for (let left = TRIES; ; left--) {
    try {
      return await fetch(`${job.serverUrl}/api/mint/${job.token}`, request)
    } catch (error) {
      if (left <= 1) throw error
    }
  }
}

/** Asks the price, signs, sends: no table, and no proof. Fails where the mint server does not deliver. */
const mint = async (job: BareMints, { privateKey, userAddress }: BareMints["wallets"][number]): Promise<void> => {
  const quote = await ask(job, userAddress)
  await quote.arrayBuffer()
  const challenge = decodePaymentRequiredHeader(quote.headers.get("payment-required") ?? "")
  const accepted = challenge.accepts[0]
  if (accepted === undefined) throw new Error(`no offer in a ${quote.status} of the mint server`)
  const account = privateKeyToAccount(`0x${privateKey}`)
  const authorization = {
    from: account.address,
    to: accepted.payTo as `0x${string}`,
    value: accepted.amount,
    validAfter: "0",
    validBefore: String(Math.floor(Date.now() / 1000) + WINDOW_SECONDS),
    nonce: `0x${randomBytes(32).toString("hex")}` as const
  }
  const { value, validAfter, validBefore } = authorization
  const signature = await account.signTypedData({
    domain: signingDomain(baseSepolia),
    types: authorizationTypes,
    primaryType: "TransferWithAuthorization",
    message: {
      ...authorization,
      value: BigInt(value),
      validAfter: BigInt(validAfter),
      validBefore: BigInt(validBefore)
    }
  })
  const { resource } = challenge
  const payment = { x402Version: 2, resource, accepted, payload: { signature, authorization } }
  const answer = await ask(job, userAddress, { "payment-signature": encodePaymentSignatureHeader(payment) })
  if (answer.status !== 200) throw new Error(`${answer.status} of the mint server: ${await answer.text()}`)
  await answer.arrayBuffer()
}

const run = async (job: BareMints): Promise<BareMinted> => {
  const before = process.cpuUsage()
  const deliveredMs: Array<number> = []
  const mintAll = async (wallet: BareMints["wallets"][number]) => {
    for (let batch = 0; batch < job.batches; batch++) {
      await mint(job, wallet).then(
        () => deliveredMs.push(Date.now()),
        (error: unknown) => console.error(`bare loop: a batch was not delivered: ${String(error)}`)
      )
    }
  }
  await Promise.all(job.wallets.map(mintAll))
  const { user, system } = process.cpuUsage(before)
  return { deliveredMs, cpuMs: (user + system) / 1000 }
}

const [job] = await once(process, "message")
process.send?.(await run(job as BareMints), () => process.disconnect())
