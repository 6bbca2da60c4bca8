import type { SettingsShape } from "../config/Settings.ts"
import type { Bytes32 } from "../domain/Address.ts"
import { type Binding, differences } from "../ledger/NetworkBinding.ts"
import { type Finding, sayerOf } from "./Finding.ts"

const say = sayerOf("database")

/** Whether database and chain belong together. `genesis`: hash of the chain's first block, where a node told it. Pure. */
export const bindingFinding = (
  { network }: SettingsShape,
  binding: Binding | undefined,
  genesis: Bytes32 | undefined
): Finding => {
  const what = "its chain"
  if (binding === undefined) return say.ok({ what, detail: "none yet: the first start binds it to one for ever" })
  const chain = { chainId: network.chainId, usdc: network.usdc.address }
  const found = differences(binding, { ...chain, genesis: genesis ?? (binding.genesis as Bytes32) })
  if (found.length > 0) {
    return say.fail({
      what,
      detail: `this database was first used with another chain: ${found.join("; ")}`,
      remedy:
        "Set NETWORK and the RPC URL to that chain, or DATABASE_URL to the database of this one " +
        "(sandbox: npm run sandbox:reset)."
    })
  }
  const detail =
    genesis === undefined ? "the id is right; no node told its first block" : "the one that the nodes lead to"
  return say.ok({ what, detail: `${binding.chain_id}: ${detail}` })
}
