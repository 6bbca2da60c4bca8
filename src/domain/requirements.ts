import { duration } from "./time.ts"

// What must be true around the executor. Each rule stands here once and gives its problem as a value: the start refuses
// on it, readiness reports it, and the doctor prints it.

/** What is wrong, and what an operator does about it. Holds no secret. */
export interface Problem {
  /** A few words that name the check: `encoding`. */
  readonly what: string
  readonly detail: string
  readonly remedy: string
}

/** A problem as the message of an error. */
export const problemMessage = ({ detail, remedy }: Problem): string =>
  `${detail[0]?.toUpperCase()}${detail.slice(1)}. ${remedy}`

/** What the settings say of the chain; as in `config/Network.ts`. */
interface ExpectedChain {
  readonly name: string
  readonly chainId: number
  readonly rpcKey: string
  readonly usdc: { readonly address: string }
}

/** What tells one chain from another: two chains may bear the same id, but not the same first block. */
export interface ChainFingerprint {
  readonly chainId: number
  /** Hash of block 0. */
  readonly genesis: string
}

/** A node by its host, and the chain that it leads to. */
export interface IdentifiedNode extends ChainFingerprint {
  readonly host: string
}

/** Why a node may not be asked: it leads to another chain than `NETWORK`, or than the first node of the list. */
export const chainProblem = (
  { name, chainId, rpcKey }: ExpectedChain,
  node: IdentifiedNode,
  first: IdentifiedNode | undefined
): Problem | undefined => {
  const what = "chain"
  if (node.chainId !== chainId) {
    return {
      what,
      detail: `${node.host} leads to chain ${node.chainId}, but NETWORK=${name} is chain ${chainId}`,
      remedy: `Set ${rpcKey} to a node of chain ${chainId}, or NETWORK to the network you mean.`
    }
  }
  if (first === undefined || node.genesis === first.genesis) return undefined
  const detail = `${first.host} and ${node.host} lead to two different chains with the id ${chainId} (their first blocks differ)`
  return { what, detail, remedy: `Keep only nodes of one chain in ${rpcKey}.` }
}

/** A part of the EIP-712 domain of USDC; `found` is undefined where the contract has no such function. */
export interface UsdcField {
  readonly field: string
  readonly expected: string
  readonly found: string | undefined
}

/** USDC must state the domain that payments are signed for, or every signature would be invalid. */
export const usdcProblem = (
  { name, rpcKey, usdc }: ExpectedChain,
  fields: ReadonlyArray<UsdcField>
): Problem | undefined => {
  const wrong = fields.filter(({ expected, found }) => found !== expected)
  if (wrong.length === 0) return undefined
  const absent = wrong.flatMap(({ field, found }) => (found === undefined ? [field] : []))
  const other = wrong.flatMap(({ field, found }) => (found === undefined ? [] : [`its ${field} is "${found}"`]))
  const states = [
    ...(other.length === 0 ? [] : [`says that ${other.join(" and ")}`]),
    ...(absent.length === 0 ? [] : [`tells no ${absent.join(" and no ")}: it is not USDC`])
  ].join(", and ")
  const signed = wrong.map(({ field, expected }) => `${field} "${expected}"`).join(" and ")
  return {
    what: "USDC",
    detail: `the contract at ${usdc.address} on the chain behind ${rpcKey} ${states}`,
    remedy: `Payments would be signed for ${signed}, and be invalid. Set ${rpcKey} to a node of ${name}.`
  }
}

/** The chain that a database belongs to. */
export interface BoundChain extends ChainFingerprint {
  readonly usdc: string
}

/** A database belongs to the chain of its first use. A local chain that was reset over old data is another one. */
export const bindingProblem = (bound: BoundChain, chain: BoundChain): Problem | undefined => {
  const differences = [
    bound.chainId === chain.chainId ? [] : [`chain id ${bound.chainId}, now ${chain.chainId}`],
    bound.usdc === chain.usdc ? [] : [`USDC ${bound.usdc}, now ${chain.usdc}`],
    bound.genesis === chain.genesis ? [] : [`genesis block ${bound.genesis}, now ${chain.genesis}`]
  ].flat()
  if (differences.length === 0) return undefined
  return {
    what: "its chain",
    detail: `this database was first used with another chain: ${differences.join("; ")}`,
    remedy:
      "Set NETWORK and the RPC URL to that chain, or DATABASE_URL to the database of this one " +
      "(sandbox: npm run sandbox:reset)."
  }
}

export const READ_ONLY: Problem = {
  what: "read only",
  detail: "it is read only: a standby, or set so (default_transaction_read_only)",
  remedy: "Let DATABASE_URL lead to the primary"
}

/** How a wallet's key answered: it opens, `AGENT_ENCRYPTION_KEY` does not open it, or its row holds no usable key. */
export type KeyAnswer = "opens" | "locked" | "broken"

/**
 * `AGENT_ENCRYPTION_KEY` opens none of these wallets: every order would be held. One that opens is enough, as the others
 * are held one by one; a broken row says nothing about the key.
 */
export const encryptionKeyProblem = (answers: ReadonlyArray<KeyAnswer>): Problem | undefined => {
  const locked = answers.filter((answer) => answer === "locked").length
  if (locked === 0 || answers.includes("opens")) return undefined
  return {
    what: "wallet keys",
    detail: `AGENT_ENCRYPTION_KEY opens none of ${locked} agent wallet${locked === 1 ? "" : "s"} that were tried`,
    remedy: "Set it to the key that encrypted_private_key in ai_agent_wallets was encrypted with; nothing was changed."
  }
}

/** A node whose newest block is older than this, in milliseconds, makes no blocks: it decides nothing. */
export const HEAD_AGE_MS_MAX = 120_000

/** Work that is due is begun within seconds. After so many milliseconds no executor works on it, or it is stuck. */
const OVERDUE_MS = 5 * 60_000

export const isOverdue = (dueSinceMs: number | undefined, nowMs: number): dueSinceMs is number =>
  dueSinceMs !== undefined && nowMs - dueSinceMs > OVERDUE_MS

/** Less is the age of a block and the time between two questions, and no difference of clocks. */
const CLOCK_DIFFERENCE_MS = 30_000

/** `2m ahead of` or `45s behind`, where a clock differs from another by more than 30 seconds. */
export const clockDifference = (aheadMs: number): string | undefined =>
  Math.abs(aheadMs) > CLOCK_DIFFERENCE_MS ? aheadOrBehind(aheadMs) : undefined

export const aheadOrBehind = (aheadMs: number): string =>
  `${duration(Math.abs(aheadMs))} ${aheadMs > 0 ? "ahead of" : "behind"}`
