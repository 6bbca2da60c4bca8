import { Clock, Effect, Result } from "effect"
import { type Address, parse, ZERO } from "../domain/Address.ts"
import { chooseOffer } from "../domain/Offer.ts"
import { PRICE_MAX, type Quote, QUOTE_MS, QuoteId, QUOTES_MAX } from "../domain/Quote.ts"
import { times } from "../domain/Usdc.ts"
import { NoOffer } from "../mint/Minter.ts"
import { CurrentCaller } from "./Caller.ts"
import { findWallet } from "./find.ts"
import { refuse, Refused } from "./Operator.ts"
import type { Quoted } from "./reports/decisions.ts"
import type { NewQuote } from "./requests.ts"
import type { Services } from "./services.ts"

/** What an order would cost now. Nothing is ordered or paid; the price holds for one order until it expires. */
export const quote = Effect.fn("operator.quote")(function* (services: Services, wish: NewQuote) {
  const { decisions, random } = services
  const token = yield* tokenOf(wish.token)
  const wallet = yield* personsWallet(services, wish.user)
  const supplyLeft = yield* supplyFor(services, token, wish.quantity)
  const pricePerMint = yield* askedPrice(services, token, wallet.userAddress)
  const createdAtMs = yield* Clock.currentTimeMillis
  const quoted: Quote = {
    id: QuoteId.make(yield* random.uuidV4()),
    keyId: (yield* CurrentCaller).keyId,
    walletId: wallet.id,
    token,
    quantity: wish.quantity,
    pricePerMint,
    createdAtMs,
    expiresAtMs: createdAtMs + QUOTE_MS,
    taskId: undefined
  }
  if (!(yield* decisions.saveQuote(quoted))) {
    return yield* refuse(`${QUOTES_MAX} quotes are open: place orders with them, or wait until they expire.`, "not_now")
  }
  return {
    command: "quote",
    quoteId: quoted.id,
    userAddress: wallet.userAddress,
    tokenAddress: token,
    quantity: wish.quantity,
    pricePerMint,
    totalCost: times(pricePerMint, wish.quantity),
    payTo: wallet.agentAddress,
    supplyLeft,
    expiresAt: quoted.expiresAtMs
  } satisfies Quoted as Quoted
})

export const tokenOf = (text: string): Effect.Effect<Address, Refused> => {
  const token = parse(text)
  return token === undefined || token === ZERO
    ? refuse(`"${text}" is no token contract.`, "invalid_order")
    : Effect.succeed(token)
}

/** The wallet of a person, named by the person's own address: with another address, the mints would go to the wrong account. */
export const personsWallet = Effect.fnUntraced(function* (services: Services, userAddress: string) {
  const user = parse(userAddress)
  if (user === undefined) return yield* refuse(`"${userAddress}" is no address of a person.`, "invalid_order")
  const wallet = yield* findWallet(services, user)
  if (wallet.userAddress === user) return wallet
  return yield* refuse(
    `${user} is the agent wallet of ${wallet.userAddress}: give the person's own address.`,
    "invalid_order"
  )
})

/** How many mints of the token are left; `undefined` where it sets no limit. Refused where they are fewer than are asked for. */
export const supplyFor = Effect.fnUntraced(function* ({ chain }: Services, token: Address, quantity: number) {
  const left = yield* chain.readRemainingSupply(token)
  if (left === undefined || left >= BigInt(quantity)) return left
  return yield* refuse(`${token} has ${left} mints left, and ${quantity} are asked for.`, "sold_out")
})

/** What the server asks for one mint now, if a batch could be paid at that. */
export const askedPrice = Effect.fnUntraced(function* (
  { settings, minter }: Services,
  token: Address,
  recipient: Address
) {
  const { network, mintPayTo, mintProtocol } = settings
  if (mintProtocol === "v1") return yield* refuse("A v1 mint server names no price.", "no_price")
  const { offers } = yield* minter
    .quote({ token, recipient, quantity: 1, amount: PRICE_MAX })
    .pipe(Effect.mapError(unpriced))
  const terms = {
    chainId: network.chainId,
    asset: network.usdc.address,
    domain: network.usdc,
    quantity: 1,
    maxAmount: PRICE_MAX
  }
  const offer = chooseOffer(offers, { ...terms, payees: [token, ...mintPayTo] })
  if (Result.isSuccess(offer)) return offer.success.amount
  return yield* refuse(`The mint server's price cannot be paid: ${offer.failure}.`, "no_price")
})

/** A server that will not sell is a refusal; one that gives no answer to go by is away, and the same may be asked again. */
const unpriced = ({ reason, message }: NoOffer): Refused | NoOffer =>
  reason === "Refused"
    ? new Refused({ message: `The mint server names no price: ${message}.`, code: "no_price" })
    : new NoOffer({ reason, message: `The mint server names no price now: ${message}. Try again.` })
