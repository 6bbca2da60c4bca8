import { type Redacted, Schema } from "effect"
import { type Address, parse, Uuid } from "./Address.ts"

/** `ai_agent_wallets.id`. */
export const WalletId = Uuid.pipe(Schema.brand("WalletId"))
export type WalletId = typeof WalletId.Type

/** How every message about a wallet's key begins. The holds that end when the key opens are found by it. */
export const KEY_OF_WALLET = "the key of agent wallet"

/** The wallet that the platform keeps for one user. Its USDC pays for that user's tasks, and for nothing else. */
export interface Wallet {
  readonly id: WalletId
  readonly userAddress: Address
  readonly agentAddress: Address
  /** `ivHex:authTagHex:cipherHex`, AES-256-GCM. */
  readonly encryptedPrivateKey: Redacted.Redacted
}

/** A row of `ai_agent_wallets` beside what was noted of it when it was first seen, in lower case. */
export interface WalletIdentity {
  readonly userAddress: string
  readonly agentAddress: string
  /** `undefined` where it was never seen with two addresses. */
  readonly pinned: { readonly userAddress: string; readonly agentAddress: string } | undefined
  /** Another row with this agent address. */
  readonly twin: WalletId | undefined
}

/**
 * Why money of a wallet may not be moved: a person who can change its row could send what is in the wallet
 * to another person, and two rows with one account spend each other's money. `undefined` where all is as it was.
 */
export const identityFault = ({ userAddress, agentAddress, pinned, twin }: WalletIdentity): string | undefined => {
  const changed = (column: string, before: string | undefined, now: string) =>
    before === undefined || before === now.trim().toLowerCase()
      ? []
      : [`its ${column} was ${before} and is ${shown(now)}`]
  const faults = [
    ...(pinned === undefined
      ? ["its addresses could not be noted: they have more than themselves in their columns"]
      : []),
    ...changed("user_address", pinned?.userAddress, userAddress),
    ...changed("agent_address", pinned?.agentAddress, agentAddress),
    ...(twin === undefined ? [] : [`agent wallet ${twin} has the same agent_address`])
  ]
  return faults.length === 0 ? undefined : faults.join("; ")
}

/** An address as it is, any other text as JSON, made short enough for a message. */
const shown = (text: string): string => parse(text) ?? JSON.stringify(text.length > 44 ? `${text.slice(0, 44)}…` : text)
