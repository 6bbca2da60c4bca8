import { Effect } from "effect"
import { parse } from "../domain/Address.ts"
import { parseTaskId, shortId, type Status, type Task } from "../domain/Task.ts"
import type { Wallet } from "../domain/Wallet.ts"
import type { TaskFile } from "../ledger/DecisionRepo.ts"
import type { DecidedEvent } from "../ledger/WatchRepo.ts"
import { CurrentCaller } from "./Caller.ts"
import { missing, refuse } from "./Operator.ts"
import type { Services } from "./services.ts"

/** What may be the beginning of an id, from eight digits on: as the log names one. */
export const START_OF_ID = /^[0-9a-f]{8}[0-9a-f-]*$/i

/**
 * The id that is meant by an id or, as the log names it, by the first eight digits of one; `undefined` where none is. Who
 * is bound to a person gives the whole id: the beginning of one says whether another person has such an order.
 */
export const findTaskId = Effect.fnUntraced(function* ({ decisions }: Services, name: string) {
  const wanted = name.trim()
  const { user } = yield* CurrentCaller
  const id = parseTaskId(wanted)
  if (id === undefined && (user !== undefined || !START_OF_ID.test(wanted))) {
    const least = user === undefined ? ", or at least the first eight digits" : ""
    return yield* missing(`"${wanted}" is no task id: give its UUID${least}.`)
  }
  const ids = id === undefined ? yield* decisions.taskIdsLike(wanted) : [id]
  if (ids.length > 1) {
    return yield* refuse(`Several tasks begin with ${wanted}: ${ids.join(", ")}. Give the whole id.`, "ambiguous_name")
  }
  return ids[0]
})

export const missingTask = (name: string) => missing(`There is no task ${name.trim()}.`)

/** An order of another person is none for who is bound to one: in answer and time as if there were no such order. */
export const isForCaller = (userAddress: string) =>
  Effect.map(CurrentCaller, ({ user }) => user === undefined || parse(userAddress) === user)

/**
 * Decisions as the caller may read them: a key that is bound to a person reads what was decided and why, and not which
 * operator, from which address, or which other key it was.
 */
export const decisionsForCaller = (decisions: ReadonlyArray<DecidedEvent>) =>
  Effect.map(CurrentCaller, ({ user, keyId }) => {
    const isOwn = ({ by = "" }: DecidedEvent) => keyId !== undefined && by.includes(`(${keyId.slice(0, 8)})`)
    return user === undefined
      ? decisions
      : decisions.map((decided) => (isOwn(decided) ? decided : { ...decided, by: undefined }))
  })

/** All that the ledger has of the task that is meant. */
export const findTask = Effect.fnUntraced(function* (services: Services, name: string) {
  const id = yield* findTaskId(services, name)
  const file = id === undefined ? undefined : yield* services.decisions.findTask(id)
  return file !== undefined && (yield* isForCaller(file.row.userAddress)) ? file : yield* missingTask(name)
})

/** The order in a row that can be carried out. */
export const soundTask = Effect.fnUntraced(function* ({ row, task, wallet, faults }: TaskFile) {
  if (task !== undefined && wallet !== undefined) return { task, wallet } satisfies { task: Task; wallet: Wallet }
  return yield* refuse(`Task ${shortId(row.id)} cannot be carried out: ${faults.join("; ")}. Repair its row first.`)
})

/** The wallet of an id, of its user's address, or of its own. Who is bound to a person finds that person's only. */
export const findWallet = Effect.fnUntraced(function* ({ decisions }: Services, name: string) {
  const { user } = yield* CurrentCaller
  const named = (yield* decisions.findWallets(name)).filter(
    ({ wallet }) => user === undefined || wallet?.userAddress === user
  )
  const ids = named.map(({ id }) => id).join(", ")
  const wallet = named[0]?.wallet
  if (named.length === 1 && wallet !== undefined) return wallet
  if (named.length === 1) return yield* missing(`Agent wallet ${ids} has an address that is none: repair its row.`)
  if (named.length === 0) {
    return yield* missing(`There is no agent wallet "${name.trim()}": give its id, its user's address, or its own.`)
  }
  return yield* refuse(
    `Several rows of ai_agent_wallets are named by ${name.trim()}: ${ids}. ` +
      "A person has one wallet, and an account is that of one: repair the rows first. Until then give an id."
  )
})

export const isOpen = (status: Status): boolean =>
  status === "pending_payment" || status === "funded" || status === "processing"
