import { Effect } from "effect"
import { parse, ZERO } from "../domain/Address.ts"
import { WalletId } from "../domain/Wallet.ts"
import { wasFirst } from "../ledger/TaskRepo.ts"
import { decide } from "./commit.ts"
import { isForCaller } from "./find.ts"
import { refuse } from "./Operator.ts"
import type { WalletOpened } from "./reports/wallets.ts"
import type { NewWallet } from "./requests.ts"
import type { Services } from "./services.ts"

/**
 * The agent wallet of a person, made if there is none: one for each person, however many ask at once. Its key is random,
 * stored as v1.1 stores keys, and never shown.
 */
export const openWallet = Effect.fn("operator.openWallet")(function* (services: Services, { user: text }: NewWallet) {
  const { settings, decisions, custody, random } = services
  const user = parse(text)
  if (user === undefined || user === ZERO || user === settings.network.usdc.address) {
    return yield* refuse(`"${text}" is no address of a person.`, "invalid_order")
  }
  if (!(yield* isForCaller(user))) return yield* refuse("This key is bound to another person.", "forbidden")
  const before = yield* walletOf(services, user)
  if (before !== undefined) return before
  const made = yield* custody.make.pipe(Effect.catchTag("KeyError", ({ message }) => refuse(message)))
  const wallet = { ...made, id: WalletId.make(yield* random.uuidV4()), userAddress: user }
  const decision = {
    command: "wallets create",
    said: `${user} has agent wallet ${made.agentAddress}`,
    why: "asked for"
  }
  const isNew = yield* wasFirst(decide(decision, (noted, nowMs) => decisions.createWallet(wallet, noted, nowMs)))
  if (isNew) return opened(wallet, true)
  // Another request for the same person was first.
  return (
    (yield* walletOf(services, user)) ?? (yield* refuse(`${user} is an agent wallet, and no person.`, "invalid_order"))
  )
})

/** What is there under this address already. Where that is a wallet's own, it is no person's. */
const walletOf = Effect.fnUntraced(function* ({ decisions }: Services, user: string) {
  const named = yield* decisions.findWallets(user)
  const wallet = named.find((one) => one.wallet?.userAddress === user)?.wallet
  if (wallet !== undefined) return opened(wallet, false)
  return named.length === 0 ? undefined : yield* refuse(`${user} is an agent wallet, and no person.`, "invalid_order")
})

const opened = (
  { id, userAddress, agentAddress }: Pick<WalletOpened, "id" | "userAddress" | "agentAddress">,
  isNew: boolean
): WalletOpened => ({ command: "wallets create", id, userAddress, agentAddress, isNew })
