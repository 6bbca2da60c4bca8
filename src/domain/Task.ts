import { Option, Result, Schema } from "effect"
import { type Address, parse, Uuid, ZERO } from "./Address.ts"
import { format, times, usdc, type Usdc } from "./Usdc.ts"
import type { KeyId } from "./Key.ts"
import { KEY_OF_WALLET, type Wallet, type WalletId } from "./Wallet.ts"

/** `ai_agent_tasks.id`. */
export const TaskId = Uuid.pipe(Schema.brand("TaskId"))
export type TaskId = typeof TaskId.Type

/** The id in `text`, in any case, or `undefined` where it is none. */
export const parseTaskId = (text: string): TaskId | undefined =>
  Option.getOrUndefined(Schema.decodeUnknownOption(TaskId)(text.trim().toLowerCase()))

/** The states of v1.1, kept: other programs and operators' scripts read them. */
export const STATUSES = ["pending_payment", "funded", "processing", "completed", "failed", "cancelled"] as const
export type Status = (typeof STATUSES)[number]

/** The only ways a task may go. `failed → funded` is an operator's `retry`. */
const ARROWS: Record<Status, ReadonlyArray<Status>> = {
  pending_payment: ["funded", "cancelled"],
  funded: ["processing", "failed"],
  processing: ["completed", "failed"],
  failed: ["funded"],
  completed: [],
  cancelled: []
}

export const mayMove = (from: Status, to: Status): boolean => ARROWS[from].includes(to)

/** An order that has been read and found sound. */
export interface Task {
  readonly id: TaskId
  readonly walletId: WalletId
  /** The person: the mints go to this address. */
  readonly userAddress: Address
  readonly token: Address
  readonly quantity: number
  readonly pricePerMint: Usdc
  readonly totalCost: Usdc
  readonly status: Status
  readonly mintsCompleted: number
  /** Refusals in a row since the last progress. */
  readonly retryCount: number
  readonly errorMessage: string | undefined
  /** Why the mint server last refused it. */
  readonly lastRefusal: string | undefined
  /** Since when the server refuses for reasons that are not the order's; `undefined` where it does not. */
  readonly stalledSinceMs: number | undefined
  /** The key that placed it; `undefined` where none did, or it is not known. */
  readonly keyId: KeyId | undefined
  /** Since when a limit keeps it from being paid for; `undefined` where none does. */
  readonly limitedSinceMs: number | undefined
  readonly createdAtMs: number
  readonly startedAtMs: number | undefined
  readonly updatedAtMs: number
  /** Whether this program reserved the money, by a confirmed balance. A `funded` row of another's making has no such proof. */
  readonly reserved: boolean
  /** A person has taken it over from v1.1: no questions are asked about what that paid. */
  readonly adopted: boolean
  /** Nothing is done for the task before this time. */
  readonly nextActionAtMs: number | undefined
}

/** A row of `ai_agent_tasks` as it is stored: other programs write it, so nothing about it is taken for granted. */
export interface TaskRow extends Omit<Task, "userAddress" | "token" | "pricePerMint" | "totalCost"> {
  readonly userAddress: string
  readonly token: string
  readonly pricePerMint: bigint
  readonly totalCost: bigint
}

export const QUANTITY_MAX = 1000

/** The order in a row, or every reason why it cannot be carried out, for the operator. */
export const readTask = (
  row: TaskRow,
  wallet: Result.Result<Wallet, string>
): Result.Result<Task, ReadonlyArray<string>> => {
  const faults: Array<string> = []
  if (Result.isFailure(wallet)) faults.push(wallet.failure)
  const userAddress = recipient(row.userAddress)
  const token = recipient(row.token)
  if (userAddress === undefined) faults.push(`user_address ${quote(row.userAddress)} is not an address`)
  else if (Result.isSuccess(wallet) && isOfAnother(row, wallet.success)) {
    const { id, userAddress: owner } = wallet.success
    faults.push(`user_address is ${userAddress}, and agent wallet ${id} is that of ${owner}`)
  }
  if (token === undefined) faults.push(`token_address ${quote(row.token)} is not an address`)
  if (row.quantity < 1 || row.quantity > QUANTITY_MAX) {
    faults.push(`quantity is ${row.quantity}, it must be 1 to ${QUANTITY_MAX}`)
  }
  if (row.pricePerMint <= 0n) faults.push(`price_per_mint is ${inUsdc(row.pricePerMint)}, it must be more than 0`)
  if (row.totalCost !== row.pricePerMint * BigInt(row.quantity)) {
    faults.push(
      `total_cost is ${inUsdc(row.totalCost)}, price_per_mint × quantity is ${inUsdc(row.pricePerMint * BigInt(row.quantity))}`
    )
  }
  if (row.mintsCompleted < 0 || row.mintsCompleted > row.quantity) {
    faults.push(`mints_completed is ${row.mintsCompleted}, it must be 0 to quantity`)
  }
  if (!Number.isFinite(row.createdAtMs)) faults.push("created_at is not a time")
  if (faults.length > 0 || userAddress === undefined || token === undefined) return Result.fail(faults)
  return Result.succeed({
    ...row,
    userAddress,
    token,
    pricePerMint: usdc(row.pricePerMint),
    totalCost: usdc(row.totalCost)
  })
}

/** Whose order it is decides who gets the mints; whose wallet it is, who pays for them. They are one person. */
export const isOfAnother = ({ userAddress }: Pick<TaskRow, "userAddress">, wallet: Wallet): boolean =>
  parse(userAddress) !== wallet.userAddress

/** The zero address can neither receive a mint nor be a token. */
const recipient = (text: string): Address | undefined => {
  const parsed = parse(text)
  return parsed === ZERO ? undefined : parsed
}

/** Of a row that may hold any number. */
const inUsdc = (baseUnits: bigint): string => `${format(baseUnits)} USDC`

/** Another program's text, made short enough for a message. */
const quote = (text: string): string => JSON.stringify(text.length > 44 ? `${text.slice(0, 44)}…` : text)

/** What the mints that are still to be made may cost at most. */
export const remainingCost = (task: Task): Usdc => times(task.pricePerMint, task.quantity - task.mintsCompleted)

/** v1.1 signed payments that stay valid for an hour: only then is certain what it left behind. */
export const V1_AUTHORIZATION_MS = 3_600_000

/** `abc12345`: how a task is named in the log. */
export const shortId = (id: string): string => id.slice(0, 8)

/** What the row of an order says when it goes on after it waited. */
export const messageAfterWaiting = (task: Task, retriesMax: number): string | null =>
  task.retryCount > 0 && task.lastRefusal !== undefined
    ? messages.retrying(task.retryCount, retriesMax, task.lastRefusal)
    : null

/** Why an order is held or waits, without the words that say that it does: for where these are said already. */
export const causeOf = (reason: string): string => reason.replace(/^(?:Held(?: for the operator: |, )|Waiting: )/, "")

/** How an order ended and why, with the word for it once: a reason of ours may begin with that word. */
export const endOf = (word: string, reason: string): string => {
  if (reason === "") return word
  return reason.toLowerCase().startsWith(word.toLowerCase()) ? word + reason.slice(word.length) : `${word}: ${reason}`
}

export const isWaiting = ({ errorMessage }: Pick<Task, "errorMessage">): boolean =>
  errorMessage?.startsWith(messages.waiting("")) ?? false

/** Whether an order was cancelled as its money did not come in time, and not by a person. */
export const isTimedOut = ({ errorMessage }: Pick<Task, "errorMessage">): boolean =>
  errorMessage?.startsWith(messages.timeout("")) ?? false

/** Whether a task is held because this batch of it is paid and not delivered, with any text after that in the reason. */
export const isHeldUndelivered = (reason: string | undefined, number: number): boolean =>
  reason?.startsWith(messages.undelivered(number)) ?? false

/** The texts that v1.1 writes to `error_message`, and that people search for. */
export const messages = {
  retrying: (refusals: number, limit: number, reason: string): string => `Retry ${refusals}/${limit}: ${reason}`,
  refusedForGood: (refusals: number, limit: number, reason: string): string =>
    `Refused ${refusals} of ${limit} times, no further try: ${reason}`,
  exceeded: (attempts: number, reason: string): string =>
    `Exceeded retry limit after ${attempts} attempts. Last error: ${reason}`,
  /** Of an order that is paid for and goes on by itself. */
  waiting: (reason: string): string => `Waiting: ${reason}`,
  timeout: (within: string): string => `Payment timeout: No sufficient balance received within ${within}`,
  badOrder: (faults: ReadonlyArray<string>): string => `Held, this order cannot be carried out: ${faults.join("; ")}`,
  held: (reason: string): string => `Held for the operator: ${reason}`,
  /** The beginning of every hold for a key. */
  heldForKey: `Held for the operator: ${KEY_OF_WALLET} `,
  /** What follows `undelivered(number)` tells more of it. */
  undelivered: (number: number, why: ReadonlyArray<string> = []): string =>
    [`Held for the operator: batch ${number} is paid and not delivered`, ...why].join("; "),
  stopped: (reason: string): string => `Held for the operator: the agent wallet is stopped: ${reason}`,
  paused: (reason: string): string => `paused: ${reason}`,
  /** The beginning of what an order says that waits for a limit. */
  limited: "the limit of ",
  shortOfMoney: (needed: Usdc, balance: Usdc): string =>
    `the agent wallet holds ${format(balance)} USDC and this order needs ${format(needed)}`
}
