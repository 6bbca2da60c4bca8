import { Effect, Result } from "effect"
import { shortId, TaskId } from "../domain/Task.ts"
import { type Address, parse, ZERO } from "../domain/Address.ts"
import { chooseOffer } from "../domain/Offer.ts"
import { times, type Usdc, usdc } from "../domain/Usdc.ts"
import { NoOffer } from "../mint/Minter.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { wasFirst } from "../ledger/TaskRepo.ts"
import { decide } from "./commit.ts"
import { findWallet } from "./find.ts"
import { nextWordsOfOne, ofFile } from "./nextStep.ts"
import { refuse, Refused } from "./Operator.ts"
import { PRICE_MAX } from "./paymentTerms.ts"
import type { Created } from "./reports/decisions.ts"
import type { NewTask } from "./requests.ts"
import type { Services } from "./services.ts"

/**
 * Places an order for a person who has an agent wallet. The same id twice makes one order: one that is there already is
 * reported as it is, even if the mint server asks another price by now.
 */
export const create = Effect.fn("operator.create")(function* (services: Services, wish: NewTask) {
  const token = parse(wish.tokenAddress)
  if (token === undefined || token === ZERO) return yield* refuse(`"${wish.tokenAddress}" is no token contract.`)
  const id = TaskId.make(wish.id?.toLowerCase() ?? (yield* services.random.uuidV4()))
  const wallet = yield* walletOf(services, wish.userAddress)
  const asked: Asked = { ...wish, id, wallet, token }
  const before = yield* existing(services, asked)
  if (before !== undefined) return before
  const pricePerMint = wish.pricePerMint ?? (yield* quotedPrice(services, token, wallet.userAddress))
  if (pricePerMint <= 0n || pricePerMint > PRICE_MAX) {
    return yield* refuse("The price of a mint must be more than 0 and at most 1,000,000 USDC.")
  }
  const order = { id, wallet, token, quantity: wish.quantity, pricePerMint }
  const decision = { command: "create", said: `task ${id} is ordered`, why: "asked for through the API" }
  const isNew = yield* wasFirst(decide(decision, (made, nowMs) => services.decisions.createTask(order, made, nowMs)))
  // The same request may have come twice at once.
  const other = isNew ? undefined : yield* existing(services, asked)
  return other ?? (yield* created(services, asked, pricePerMint, isNew))
})

/** A wish whose person and token are known. */
interface Asked extends Pick<NewTask, "quantity" | "pricePerMint"> {
  readonly id: TaskId
  readonly wallet: Wallet
  readonly token: Address
}

const created = Effect.fnUntraced(function* (
  services: Services,
  { id, wallet, quantity }: Asked,
  pricePerMint: Usdc,
  isNew: boolean
) {
  const file = yield* services.decisions.findTask(id)
  if (file === undefined) return yield* refuse(`Task ${shortId(id)} is not in the ledger any more.`)
  return {
    command: "create",
    taskId: id,
    isNew,
    agentAddress: wallet.agentAddress,
    totalCost: times(pricePerMint, quantity),
    pricePerMint,
    quantity,
    ...(yield* nextWordsOfOne(services, ofFile(file)))
  } satisfies Created as Created
})

/** The wallet of a person, named by the person's own address: with another address, the mints would go to the wrong account. */
const walletOf = Effect.fnUntraced(function* (services: Services, userAddress: string) {
  const user = parse(userAddress)
  if (user === undefined) return yield* refuse(`"${userAddress}" is no address of a person.`)
  const wallet = yield* findWallet(services, user)
  if (wallet.userAddress === user) return wallet
  return yield* refuse(`${user} is the agent wallet of ${wallet.userAddress}: give the person's own address.`)
})

/** The order of this id, if there is one; refused where it is another one. */
const existing = Effect.fnUntraced(function* (services: Services, asked: Asked) {
  const row = (yield* services.decisions.findTask(asked.id))?.row
  if (row === undefined) return undefined
  const { wallet, token, quantity, pricePerMint = row.pricePerMint } = asked
  const isSame =
    row.walletId === wallet.id &&
    parse(row.token) === token &&
    row.quantity === quantity &&
    row.pricePerMint === pricePerMint &&
    row.pricePerMint > 0n
  if (isSame) return yield* created(services, asked, usdc(row.pricePerMint), false)
  return yield* refuse(`There is another order with the id ${asked.id}.`)
})

/** What the server asks for one mint, if a batch could be paid at that. */
export const quotedPrice = Effect.fnUntraced(function* (
  { settings, minter }: Services,
  token: Address,
  recipient: Address
) {
  const { network, mintPayTo, mintProtocol } = settings
  if (mintProtocol === "v1") return yield* refuse("A v1 mint server names no price: give one.")
  const quote = yield* minter
    .quote({ token, recipient, quantity: 1, amount: PRICE_MAX })
    .pipe(Effect.mapError(unpriced))
  const terms = {
    chainId: network.chainId,
    asset: network.usdc.address,
    domain: network.usdc,
    quantity: 1,
    maxAmount: PRICE_MAX
  }
  const offer = chooseOffer(quote.offers, { ...terms, payees: [token, ...mintPayTo] })
  if (Result.isSuccess(offer)) return offer.success.amount
  return yield* refuse(`The mint server's price cannot be paid: ${offer.failure}. Give one.`)
})

/** A server that will not sell is a refusal; one that gives no answer to go by is away, and the same may be asked again. */
const unpriced = ({ reason, message }: NoOffer): Refused | NoOffer =>
  reason === "Refused"
    ? new Refused({ message: `The mint server names no price: ${message}. Give one.` })
    : new NoOffer({ reason, message: `The mint server names no price now: ${message}. Try again, or give one.` })
