import { Context, type Effect } from "effect"
import type { ChainClient, ChainError } from "../chain/ChainClient.ts"
import type { KeyCustody } from "../chain/KeyCustody.ts"
import type { Settings } from "../config/Settings.ts"
import type { WalletId } from "../domain/Wallet.ts"
import type { Minter } from "../mint/Minter.ts"
import type { LedgerError, Outrun, TaskRepo } from "../ledger/TaskRepo.ts"
import type { Outage } from "./Outage.ts"
import type { UsdcCode } from "./UsdcCode.ts"

/** What the work of a wallet needs. */
export type WalletServices =
  | ChainClient
  | KeyCustody
  | Minter
  | Outage
  | ServerRequests
  | Settings
  | TaskRepo
  | UsdcCode

/**
 * Requests to the mint server that are on their way. The server may take as long as it likes, and what it has done is
 * read from the chain: so a request runs beside the turns of its wallet, and holds none of them up.
 */
export class ServerRequests extends Context.Service<
  ServerRequests,
  {
    /**
     * Runs a request, and what its answer changes, beside the turns of this wallet, which is woken at its end; `Outrun`
     * says that nothing was changed. The ledger has to know of it before: a process that dies over it leaves nothing but
     * the row.
     */
    readonly start: (
      walletId: WalletId,
      request: Effect.Effect<void, ChainError | LedgerError | Outrun, WalletServices>
    ) => Effect.Effect<void>
  }
>()("ai-mint-executor/executor/ServerRequests") {}
