import type { Redacted } from "effect"
import type { Address } from "./Address.ts"

/** `ai_agent_wallets.id`, a UUID. */
export type WalletId = string

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
