import { Effect } from "effect"
import { isLive } from "../domain/Authorization.ts"
import { classifyEvidence } from "../domain/transferTransitions.ts"
import { shortId } from "../domain/Task.ts"
import type { WalletId } from "../domain/Wallet.ts"
import type { Account } from "../ledger/DecisionRepo.ts"
import { mintKey } from "../ledger/TaskRepo.ts"
import { add, type ChainView, type Difference, type AuditFinding, NOTHING } from "./audit.ts"
import { auditBooks } from "./auditBooks.ts"
import { auditMints, mintGroups, unseenMints } from "./auditMints.ts"
import { auditPayments } from "./auditPayments.ts"
import { viewChain } from "./chainView.ts"
import type { Reconciled } from "./reports/decisions.ts"
import type { Services } from "./services.ts"

/** Wallets in one round of questions to the chain: as many as one filter of logs may name. */
const PAGE_WALLETS = 1_000

/** Mints are searched for as far back as one search of logs goes, less than three months of Base. */
const MINTS_BLOCKS_MAX = 3_900_000n

/** Questions about mints of different tokens or people that are asked at once. */
const CONCURRENT_SEARCHES = 4

/**
 * Compares the ledger with what the logs of the chain say, wallet by wallet, and changes nothing. Safe beside a running
 * executor: the chain is read first, and every payment is in the ledger before it is sent.
 */
export const reconcile = Effect.fn("operator.reconcile")(function* (services: Services) {
  const { decisions } = services
  let cursor: WalletId | undefined
  let totals = NOTHING
  let block: bigint | undefined
  const differences: Array<Difference> = []
  do {
    const page = { cursor, walletsMax: PAGE_WALLETS }
    const named = yield* decisions.accounts(page)
    if (named.accounts.length > 0) {
      const view = yield* viewChain(services, named.accounts, yield* decisions.firstBlock)
      // Read again, now that the chain is known: of the same wallets, and as they are by now.
      const fresh = yield* decisions.accounts(page)
      const seen = fresh.accounts.filter(({ wallet }) => view.balances.has(wallet.agentAddress))
      const findings = yield* auditPage(services, seen, view)
      for (const finding of findings) {
        totals = add(totals, finding.totals)
        differences.push(...finding.differences)
      }
      block = view.block.number
    }
    cursor = named.cursor
  } while (cursor !== undefined)
  return { command: "reconcile", block, totals, differences } satisfies Reconciled as Reconciled
})

const auditPage = Effect.fnUntraced(function* (services: Services, accounts: ReadonlyArray<Account>, view: ChainView) {
  const findings: Array<AuditFinding> = accounts.flatMap((account) => {
    const payments = auditPayments(account, view)
    const isExplained = account.stopped === undefined || payments.differences.length > 0
    return [
      { totals: { wallets: 1 }, differences: isExplained ? [] : [stopped(account)] },
      payments,
      auditBooks(account, view)
    ]
  })
  findings.push(yield* auditLive(services, accounts))
  const oldest = view.block.number > MINTS_BLOCKS_MAX ? view.block.number - MINTS_BLOCKS_MAX : 0n
  const groups = mintGroups(accounts, oldest)
  findings.push(unseenMints(accounts, groups))
  const mints = yield* Effect.forEach(
    groups,
    (group) =>
      Effect.map(services.chain.findMints(group), (found) =>
        auditMints(group, accounts, new Map(found.map((mint) => [mintKey(mint), mint])))
      ),
    { concurrency: CONCURRENT_SEARCHES }
  )
  return [...findings, ...mints]
})

const stopped = ({ wallet, stopped: reason }: Account): Difference => ({
  wallet: wallet.agentAddress,
  what: `the wallet is stopped: ${reason}. When that is clear: ai-mint resolve --wallet ${wallet.agentAddress}`
})

/** What became of payments whose outcome the ledger does not know: a nonce that was cancelled pays for nothing. */
const auditLive = Effect.fnUntraced(function* ({ chain }: Services, accounts: ReadonlyArray<Account>) {
  const live = accounts.flatMap(({ batches }) =>
    batches.flatMap((batch) => (isLive(batch) && batch.window ? [{ batch, window: batch.window }] : []))
  )
  if (live.length === 0) return { totals: {}, differences: [] } satisfies AuditFinding as AuditFinding
  const { block, outcomes } = yield* chain.readAuthorizations(
    live.map(({ batch, window }) => ({
      payer: batch.payer,
      nonce: batch.nonce,
      fromBlock: window.block,
      expected: { to: window.payTo, value: window.amount }
    }))
  )
  const differences = live.flatMap(({ batch }, index) => {
    const evidence = classifyEvidence(batch, outcomes[index] ?? { _tag: "Unexplained" }, block)
    if (evidence !== "cancelled") return []
    const what = `the nonce of batch ${batch.number} of task ${shortId(batch.taskId)} was cancelled on chain: another party has the key of this wallet`
    return [{ wallet: batch.payer, what }]
  })
  return { totals: {}, differences } satisfies AuditFinding as AuditFinding
})
