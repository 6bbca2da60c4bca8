import { concat, type Hex, keccak256, toHex } from "viem"
import { type Address, type Bytes32, parse } from "../../src/domain/Address.ts"

/** What a client sends. The fields of an authorization are text. */
export interface V1Request {
  readonly authorization?: Readonly<Record<"from" | "to" | "value" | "validAfter" | "validBefore", string>> & {
    readonly nonce: Bytes32
    readonly signature: Hex
  }
  readonly recipient?: string
  readonly quantity?: number
}
export type Authorization = NonNullable<V1Request["authorization"]>

/** A row of the server's payment queue. */
export interface V1Payment {
  readonly id: string
  readonly token: Address
  readonly recipient: Address
  readonly quantity: number
  readonly authorization: Authorization
  status: "pending" | "completed" | "failed"
  txHash: Bytes32 | null
  error: string | null
}

/** A row of its mint queue. */
export interface V1Mint {
  readonly id: string
  readonly token: Address
  readonly payer: string
  readonly recipient: Address
  readonly mintId: Bytes32
  status: "pending" | "completed" | "failed"
}

/** Status and JSON of an answer. */
export type Answer = readonly [status: 200 | 400 | 404 | 408 | 500, body: object]

export const fault = (status: 400 | 404 | 500, error: string, message: string): Answer => [status, { error, message }]

type Order = Pick<V1Payment, "token" | "recipient" | "quantity" | "authorization">

/** Its checks in their order. None of them looks at the signature or at the chain. */
export const check = (
  token: Address | undefined,
  { authorization, recipient, quantity = 1 }: V1Request,
  prices: ReadonlyMap<Address, string>
): Order | { readonly fault: Answer } => {
  const no = (...words: Parameters<typeof fault>) => ({ fault: fault(...words) })
  if (quantity < 1 || quantity > 10) return no(400, "Invalid quantity", "Quantity must be between 1 and 10")
  if (!authorization?.signature) return no(400, "Invalid payment authorization", "Authorization requires a signature")
  if (parse(authorization.to) !== token) return no(400, "Invalid payment recipient", `Pay to token contract ${token}`)
  const price = token && prices.get(token)?.match(/[\d.]+/)?.[0]
  if (token === undefined || price === undefined) return no(404, "Token not found", `Token ${token} not found`)
  const expected = BigInt(Math.floor(parseFloat(price) * 1e6)) * BigInt(quantity)
  if (BigInt(authorization.value) !== expected)
    return no(400, "Invalid payment amount", `Payment must be exactly ${Number(expected) / 1e6} USDC`)
  const to = parse(recipient ?? authorization.from)
  if (to === undefined) return no(400, "Invalid recipient", "Recipient must be an address")
  return { token, authorization, quantity, recipient: to }
}

export const queue = (
  { authorization, token, recipient }: V1Payment,
  count: number,
  queuedBefore: number
): ReadonlyArray<V1Mint> =>
  Array.from({ length: count }, (_, index) => ({
    id: `m${queuedBefore + index + 1}`,
    token,
    payer: authorization.from,
    recipient,
    mintId: keccak256(concat([authorization.nonce, toHex(index)])),
    status: "pending"
  }))

/** Meant for the mints of the payment that failed. It knows those by payer and token only. */
export const clearAway = (mints: ReadonlyArray<V1Mint>, { token, authorization }: V1Payment): void => {
  for (const mint of mints)
    if (mint.status === "pending" && mint.token === token && mint.payer === authorization.from) mint.status = "failed"
}
