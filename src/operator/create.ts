import { Clock, Effect } from "effect"
import { type Address, parse } from "../domain/Address.ts"
import { PRICE_MAX, quoteFault, QuoteId } from "../domain/Quote.ts"
import { shortId, TaskId } from "../domain/Task.ts"
import { times, type Usdc, usdc } from "../domain/Usdc.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { wasFirst } from "../ledger/TaskRepo.ts"
import { NoOffer } from "../mint/Minter.ts"
import { CurrentCaller } from "./Caller.ts"
import { decide } from "./commit.ts"
import { nextWordsOfOne, ofFile } from "./nextStep.ts"
import { refuse, Refused } from "./Operator.ts"
import { askedPrice, personsWallet, tokenOf } from "./quote.ts"
import type { Created } from "./reports/decisions.ts"
import type { NewTask } from "./requests.ts"
import type { Services } from "./services.ts"

/**
 * Places an order for a person who has an agent wallet. The same id twice makes one order: one that is there already is
 * reported as it is, even if the mint server asks another price by now. An order with a quote has the quote's id where it
 * is given none, so that the same request finds the same order.
 */
export const create = Effect.fn("operator.create")(function* (services: Services, wish: NewTask) {
  const token = yield* tokenOf(wish.tokenAddress)
  const quoteId = wish.quoteId === undefined ? undefined : QuoteId.make(wish.quoteId.toLowerCase())
  const id = TaskId.make(wish.id?.toLowerCase() ?? quoteId ?? (yield* services.random.uuidV4()))
  const wallet = yield* personsWallet(services, wish.userAddress)
  const { quantity, pricePerMint: given } = wish
  const asked: Asked = { id, wallet, token, quantity, pricePerMint: given, quoteId }
  const before = yield* existing(services, asked)
  if (before !== undefined) return before
  const pricePerMint = yield* priceOf(services, asked)
  if (pricePerMint <= 0n || pricePerMint > PRICE_MAX) {
    return yield* refuse("The price of a mint must be more than 0 and at most 1,000,000 USDC.", "invalid_order")
  }
  const order = { id, wallet, token, quantity, pricePerMint, quoteId }
  const decision = { command: "create", said: `task ${id} is ordered`, why: "asked for through the API" }
  const isNew = yield* wasFirst(decide(decision, (made, nowMs) => services.decisions.createTask(order, made, nowMs)))
  if (isNew) return yield* created(services, asked, pricePerMint, true)
  // The same request may have come twice at once, or another one with the same quote.
  return (
    (yield* existing(services, asked)) ??
    (yield* refuse("The quote was used for another order: ask for another one.", "quote_unusable"))
  )
})

/** A wish whose person and token are known. */
interface Asked {
  readonly id: TaskId
  readonly wallet: Wallet
  readonly token: Address
  readonly quantity: number
  readonly pricePerMint: Usdc | undefined
  readonly quoteId: QuoteId | undefined
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

/** The order of this id, if there is one; refused where it is another one. */
const existing = Effect.fnUntraced(function* (services: Services, asked: Asked) {
  const row = (yield* services.decisions.findTask(asked.id))?.row
  if (row === undefined) return undefined
  const { wallet, token, quantity, quoteId, pricePerMint = row.pricePerMint } = asked
  const isSame =
    row.walletId === wallet.id &&
    parse(row.token) === token &&
    row.quantity === quantity &&
    row.pricePerMint === pricePerMint &&
    row.pricePerMint > 0n &&
    (quoteId === undefined || (yield* services.decisions.findQuote(quoteId))?.taskId === row.id)
  if (isSame) return yield* created(services, asked, usdc(row.pricePerMint), false)
  return yield* refuse(`There is another order with the id ${asked.id}.`, "id_taken")
})

/** As it was quoted, as it is given, or what the mint server asks now. */
const priceOf = Effect.fnUntraced(function* (services: Services, asked: Asked) {
  const { quoteId, pricePerMint, token, wallet } = asked
  if (quoteId !== undefined) return yield* quotedPrice(services, { ...asked, quoteId })
  return pricePerMint ?? (yield* askedPrice(services, token, wallet.userAddress).pipe(Effect.mapError(orGivePrice)))
})

const quotedPrice = Effect.fnUntraced(function* (
  { decisions }: Services,
  { quoteId, wallet, token, quantity, pricePerMint }: Asked & { readonly quoteId: QuoteId }
) {
  const { keyId } = yield* CurrentCaller
  const quote = yield* decisions.findQuote(quoteId)
  // That of another key is not even confirmed to exist.
  if (quote === undefined || quote.keyId !== keyId)
    return yield* refuse(`There is no quote ${quoteId}.`, "quote_unusable")
  const fault = quoteFault(quote, { walletId: wallet.id, token, quantity }, yield* Clock.currentTimeMillis)
  if (fault !== undefined) return yield* refuse(`The quote ${fault}.`, "quote_unusable")
  if (pricePerMint !== undefined && pricePerMint !== quote.pricePerMint) {
    return yield* refuse("The quote names another price: leave the price out.", "invalid_order")
  }
  return quote.pricePerMint
})

/** Who places an order may name a price where the mint server names none. */
const orGivePrice = <E extends { readonly _tag: string }>(error: E | Refused | NoOffer): E | Refused | NoOffer => {
  if (error instanceof Refused) return new Refused({ message: `${error.message} Give one.`, code: "no_price" })
  return error instanceof NoOffer
    ? new NoOffer({ reason: error.reason, message: error.message.replace(/\.$/, ", or give one.") })
    : error
}
