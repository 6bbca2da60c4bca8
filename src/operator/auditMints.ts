import type { Address } from "../domain/Address.ts"
import type { Batch } from "../domain/Batch.ts"
import { counted } from "../domain/text.ts"
import { shortId } from "../domain/Task.ts"
import type { Account } from "../ledger/DecisionRepo.ts"
import { mintKey } from "../ledger/TaskRepo.ts"
import type { AuditFinding, MintsOnChain } from "./audit.ts"

/** How long before its payment a server may have minted for a batch whose signing time is not known. */
const EARLY_BLOCKS = 150n

/** Mints of one token to one person are one question to the chain. */
export interface MintGroup {
  readonly token: Address
  readonly recipient: Address
  /** In which its mints are counted, as it was when the batches were planned. */
  readonly portion: bigint | undefined
  readonly batches: ReadonlyArray<Batch>
  /** No mint of these batches is older. */
  readonly fromBlock: bigint
}

const mintTarget = ({ token, recipient, portion }: Batch): string => `${token}:${recipient}:${portion}`

/** Before it nothing of the batch can be on chain; `undefined` where nothing of it ever was. */
const firstBlockOf = ({ window, paymentBlock }: Batch): bigint | undefined => {
  if (window !== undefined) return window.block
  if (paymentBlock === undefined) return undefined
  return paymentBlock > EARLY_BLOCKS ? paymentBlock - EARLY_BLOCKS : 0n
}

/** What is to be asked for these accounts. Batches that began before `oldest` are left out: logs so old are not searched. */
export const mintGroups = (accounts: ReadonlyArray<Account>, oldest: bigint): ReadonlyArray<MintGroup> => {
  const begun = accounts.flatMap(({ batches }) =>
    batches.flatMap((batch) => {
      const since = firstBlockOf(batch)
      return batch.minted === 0 || since === undefined || since < oldest ? [] : [{ batch, since }]
    })
  )
  return [...Map.groupBy(begun, ({ batch }) => mintTarget(batch)).values()].flatMap((group) => {
    const [first] = group
    if (first === undefined) return []
    const { token, recipient, portion } = first.batch
    const fromBlock = group.reduce((lowest, { since }) => (since < lowest ? since : lowest), first.since)
    return [{ token, recipient, portion, fromBlock, batches: group.map(({ batch }) => batch) }]
  })
}

/** Mints that batches count and that no question to the chain is about. */
export const unseenMints = (accounts: ReadonlyArray<Account>, groups: ReadonlyArray<MintGroup>): AuditFinding => {
  const asked = new Set(groups.flatMap(({ batches }) => batches))
  const known = new Map(accounts.flatMap(({ mints }) => [...Map.groupBy(mints, ofOne)]))
  const unseen = accounts
    .flatMap(({ batches }) => batches)
    .map((batch) =>
      asked.has(batch) ? Math.max(0, batch.minted - (known.get(batchName(batch))?.length ?? 0)) : batch.minted
    )
  return { totals: { unseenMints: unseen.reduce((total, count) => total + count, 0) }, differences: [] }
}

const batchName = ({ taskId, number }: Batch): string => `${taskId}/${number}`
const ofOne = (mint: Account["mints"][number]): string => `${mint.taskId}/${mint.batchNumber}`

/** Every mint that a batch of the group has is on chain, and it has as many as it counts. */
export const auditMints = (group: MintGroup, accounts: ReadonlyArray<Account>, onChain: MintsOnChain): AuditFinding => {
  const numbers = new Map(group.batches.map((batch) => [batchName(batch), batch]))
  const owned = accounts.flatMap(({ mints }) => mints).filter((mint) => numbers.has(ofOne(mint)))
  const ofBatch = Map.groupBy(owned, ofOne)
  const missing = owned.filter((mint) => !onChain.has(mintKey(mint)))
  const differences = [
    ...missing.map((mint) => ({
      batch: numbers.get(ofOne(mint)),
      what: `has mint ${mint.part + 1} of its token and person in ${mint.tx}, and the chain shows fewer there`
    })),
    ...group.batches
      // What a person resolved may have mints by their word alone.
      .filter(({ status }) => status !== "resolved")
      .map((batch) => ({ batch, has: ofBatch.get(batchName(batch))?.length ?? 0 }))
      .filter(({ batch, has }) => has !== batch.minted)
      .map(({ batch, has }) => ({ batch, what: `counts ${counted(batch.minted, "mint")} and has ${has} on chain` }))
  ]
  return {
    totals: { mints: owned.length - missing.length },
    differences: differences.flatMap(({ batch, what }) =>
      batch === undefined
        ? []
        : [{ wallet: batch.payer, what: `batch ${batch.number} of task ${shortId(batch.taskId)} ${what}` }]
    )
  }
}
