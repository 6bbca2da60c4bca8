import { Clock, Effect, Result } from "effect"
import { Settings } from "../config/Settings.ts"
import type { TaskId } from "../domain/Task.ts"
import { type Address, parse, ZERO } from "../domain/Address.ts"
import { chooseOffer } from "../domain/Offer.ts"
import { times, type Usdc, usdc } from "../domain/Usdc.ts"
import { Minter } from "../mint/Minter.ts"
import { DecisionRepo } from "../task/DecisionRepo.ts"
import { findWallet } from "./find.ts"
import { Refused } from "./Refused.ts"

export interface OrderWish {
  readonly id: TaskId
  readonly userAddress: string
  readonly token: string
  readonly quantity: number
  /** What the mint server asks now, where left out. */
  readonly pricePerMint?: Usdc | undefined
}

export interface Created {
  readonly command: "create"
  readonly taskId: TaskId
  /** `false` where this very order was there already. */
  readonly isNew: boolean
  readonly agentAddress: Address
  readonly totalCost: Usdc
  readonly pricePerMint: Usdc
  readonly quantity: number
}

/** The most that an order may cost: what a `bigint` column holds is far more, and no price of a mint. */
const PRICE_MAX = usdc(1_000_000_000_000n)

/** Places an order for a person who has an agent wallet. The same id twice makes one order. */
export const create = Effect.fn("operator.create")(function* (wish: OrderWish, why: string) {
  const token = parse(wish.token)
  if (token === undefined || token === ZERO)
    return yield* new Refused({ message: `"${wish.token}" is no token contract.` })
  const wallet = yield* findWallet(wish.userAddress)
  const pricePerMint = wish.pricePerMint ?? (yield* quotedPrice(token, wallet.userAddress))
  if (pricePerMint <= 0n || pricePerMint > PRICE_MAX) {
    return yield* new Refused({ message: "The price of a mint must be more than 0 and at most 1,000,000 USDC." })
  }
  const order = { id: wish.id, wallet, token, quantity: wish.quantity, pricePerMint }
  const decision = { command: "create", said: `task ${wish.id} is ordered`, why }
  const repo = yield* DecisionRepo
  const isNew = yield* repo.createTask(order, decision, yield* Clock.currentTimeMillis)
  if (!isNew) yield* checkSame(order)
  return {
    command: "create",
    taskId: wish.id,
    isNew,
    agentAddress: wallet.agentAddress,
    totalCost: times(pricePerMint, wish.quantity),
    pricePerMint,
    quantity: wish.quantity
  } satisfies Created as Created
})

/** What the server asks for one mint, if a batch could be paid at that. */
const quotedPrice = Effect.fnUntraced(function* (token: Address, recipient: Address) {
  const { network, mintPayTo, mintProtocol } = yield* Settings
  if (mintProtocol === "v1") return yield* new Refused({ message: "A v1 mint server names no price: give one." })
  const quote = yield* (yield* Minter)
    .quote({ token, recipient, quantity: 1, amount: PRICE_MAX })
    .pipe(
      Effect.mapError(
        ({ message }) => new Refused({ message: `The mint server names no price: ${message}. Give one.` })
      )
    )
  const terms = { chainId: network.chainId, asset: network.usdc.address, quantity: 1, maxAmount: PRICE_MAX }
  const offer = chooseOffer(quote.offers, { ...terms, payees: [token, ...mintPayTo] })
  if (Result.isSuccess(offer)) return offer.success.amount
  return yield* new Refused({ message: `The mint server's price cannot be paid: ${offer.failure}. Give one.` })
})

const checkSame = Effect.fnUntraced(function* (order: {
  readonly id: TaskId
  readonly wallet: { readonly id: string }
  readonly token: Address
  readonly quantity: number
  readonly pricePerMint: Usdc
}) {
  const row = (yield* (yield* DecisionRepo).findTask(order.id))?.row
  const isSame =
    row?.walletId === order.wallet.id &&
    parse(row.token) === order.token &&
    row.quantity === order.quantity &&
    row.pricePerMint === order.pricePerMint
  if (!isSame) return yield* new Refused({ message: `There is another order with the id ${order.id}.` })
})
