import { Result } from "effect"
import { type Address, address, parse } from "./Address.ts"
import { format, type Usdc, usdc } from "./Usdc.ts"

/** The name of a chain in x402. Source: CAIP-2, namespace `eip155`. */
export const chainName = (chainId: number) => `eip155:${chainId}` as const

/** What a mint server asks for in its 402 challenge (one entry of `accepts`), in either x402 version. */
export interface Offer {
  /** `exact`, where an EIP-3009 authorization pays it; a variant of it is named in full: `exact (permit2)`. */
  readonly scheme: string
  /** CAIP-2 (`eip155:8453`); a v1 server's plain name (`base`) is translated at the border. */
  readonly network: string
  readonly asset: string
  readonly payTo: string
  /** Base units of the asset. */
  readonly amount: bigint
  /** More than zero. How long the server says that it may take to settle. */
  readonly maxTimeoutSeconds: number | undefined
  /** What the server says that the signature is to be made for (EIP-712). What it leaves out is USDC's. */
  readonly domain?: { readonly name?: string; readonly version?: string; readonly verifyingContract?: string }
}

/** What a batch was quoted at: the most that may be signed for it, in what, where and to whom. */
export interface Terms {
  readonly chainId: number
  /** The USDC contract of the network. */
  readonly asset: Address
  /** The EIP-712 domain of that contract: signatures are made for no other. */
  readonly domain: { readonly name: string; readonly version: string }
  /** Inclusive: the quoted price times `quantity`. */
  readonly maxAmount: Usdc
  /** The task's token contract and the addresses of `MINT_PAY_TO`. */
  readonly payees: ReadonlyArray<Address>
  /** Mints that the amount is for. Only for the words of a refusal. */
  readonly quantity: number
}

/** An offer within the terms, with what it says as values that can be signed. */
export interface AcceptedOffer {
  readonly offer: Offer
  /** More than zero, at most the quote. */
  readonly amount: Usdc
  readonly payTo: Address
}

/** What is wrong with an offer, in words for an operator; `undefined` where nothing is. */
type Rule = (offer: Offer, terms: Terms) => string | undefined

const mintsWords = (mints: number): string => (mints === 1 ? "1 mint" : `${mints} mints`)

/**
 * What an offer must pass to be signed, from what makes it another thing altogether to what makes it too dear: the
 * further an offer comes, the more useful is the reason why it fails.
 */
const rules: ReadonlyArray<Rule> = [
  ({ scheme }) => (scheme === "exact" ? undefined : `asks for the payment scheme ${scheme}, only exact can be paid`),
  ({ network }, { chainId }) =>
    network === chainName(chainId)
      ? undefined
      : `wants to be paid on chain ${network}, the task is on ${chainName(chainId)}`,
  (offer, { asset }) =>
    parse(offer.asset) === asset ? undefined : `asks for another asset ${offer.asset}, USDC is ${asset}`,
  ({ domain: { verifyingContract } = {} }, { asset }) =>
    verifyingContract === undefined || parse(verifyingContract) === asset
      ? undefined
      : `wants a signature for the contract ${verifyingContract}, USDC is ${asset}`,
  ({ domain: { name, version } = {} }, { domain }) =>
    (name ?? domain.name) === domain.name && (version ?? domain.version) === domain.version
      ? undefined
      : `wants a signature for ${[name, version].filter(Boolean).join(" ")}, USDC's is for ${domain.name} ${domain.version}`,
  ({ payTo }, { payees }) =>
    payees.some((payee) => payee === parse(payTo))
      ? undefined
      : `wants to be paid at ${payTo}, which is neither the token nor in MINT_PAY_TO`,
  ({ amount }) => (amount > 0n ? undefined : `asks ${format(amount)} USDC, which is nothing to sign for`),
  ({ amount }, { maxAmount, quantity }) =>
    amount <= maxAmount
      ? undefined
      : `asks ${format(amount)} USDC for ${mintsWords(quantity)}, the quote is ${format(maxAmount)}`
]

/** How far an offer came, and what stopped it there. */
interface Refusal {
  readonly passed: number
  readonly reason: string
}

const judgeOffer = (offer: Offer, terms: Terms): Result.Result<AcceptedOffer, Refusal> => {
  for (const [passed, rule] of rules.entries()) {
    const fault = rule(offer, terms)
    if (fault !== undefined) return Result.fail({ passed, reason: `the server ${fault}` })
  }
  return Result.succeed({ offer, amount: usdc(offer.amount), payTo: address(offer.payTo) })
}

/**
 * The offer that may be signed: the cheapest that keeps every rule, the server's first among equals. Where none does,
 * the reason against the one that came nearest: of a server that offers another chain, and our chain at a higher price,
 * the price is what an operator wants to read.
 */
export const chooseOffer = (offers: ReadonlyArray<Offer>, terms: Terms): Result.Result<AcceptedOffer, string> => {
  let best: AcceptedOffer | undefined
  let nearest: Refusal = { passed: -1, reason: "the server offers nothing" }
  for (const offer of offers) {
    const verdict = judgeOffer(offer, terms)
    if (Result.isFailure(verdict)) {
      if (verdict.failure.passed > nearest.passed) nearest = verdict.failure
    } else if (best === undefined || verdict.success.amount < best.amount) best = verdict.success
  }
  return best === undefined ? Result.fail(nearest.reason) : Result.succeed(best)
}
