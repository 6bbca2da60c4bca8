import type { Wallet } from "../domain/Wallet.ts"
import type { WalletWork } from "../domain/WalletState.ts"

/** Work of a wallet whose row is sound: it can be planned and paid, not only looked after. */
export interface OpenWork extends WalletWork {
  readonly wallet: Wallet
}

export const withWallet = (work: WalletWork): OpenWork | undefined =>
  work.wallet === undefined ? undefined : { ...work, wallet: work.wallet }
