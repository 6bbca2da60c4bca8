import { Effect } from "effect"
import type { Batch } from "../../src/domain/Batch.ts"
import type { LimitScope } from "../../src/domain/Limit.ts"
import type { Refund } from "../../src/domain/Refund.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import type { WalletId } from "../../src/domain/Wallet.ts"
import {
  cancel,
  pause,
  refund,
  removeLimit,
  resolve,
  resolveWallet,
  resume,
  retry,
  setLimit,
  withdraw
} from "../support/operator.ts"
import type { ResolveBody } from "../../src/operator/requests.ts"
import type { PauseScope } from "../../src/ledger/DecisionRepo.ts"
import type { StoredTask, Tables } from "../support/memory/MemoryLedger.ts"
import { command, type Tools } from "./command.ts"
import type { Fault } from "./faults.ts"
import { Process } from "./Process.ts"
import type { Random } from "./random.ts"
import type { World } from "./World.ts"

/** How often a person types what they could know to be refused, or decides before its time. */
const CARELESSNESS = 0.3

type Operation = Effect.Effect<unknown, { readonly message: string }, Tools>

/** What an operator types, and what carries it out. */
interface Act {
  readonly typed: string
  readonly operation: Operation
}

/** People who type commands: honest ones, who may be too early, too late, or typing the same as another person. */
export class Operators {
  readonly #world: World
  readonly #random: Random
  readonly #processes = new Set<Process>()
  #commands = 0
  /** Limits have chance and numbers of their own: the other commands of a seed are what they are without them. */
  readonly #limits: Random
  #limitCommands = 0

  constructor(world: World) {
    this.#world = world
    this.#random = world.random.fork("operators")
    this.#limits = world.random.fork("limits of operators")
  }

  /** Once a minute. */
  act(): void {
    this.#try("refund", () => this.#refund())
    this.#try("operator cancels", () => this.#cancel())
    this.#try("operator retries", () => this.#retry(({ status }) => status === "failed"))
    this.#try("operator ends a hold", () => this.#retry(isFreeOfBatches))
    for (const as of ["delivered", "replaced", "failed"] as const) {
      this.#try(`operator resolves as ${as}`, () => this.#resolve(as))
    }
    this.#try("operator withdraws a refund", () => this.#withdraw())
    this.#try("operator reopens a wallet", () => this.#reopen())
    this.#try("operator pauses", () => this.#pause())
    this.#try("operator resumes", () => this.#resume())
    this.#tryLimit("operator limits payments", () => this.#limit())
    this.#tryLimit("operator ends a limit", () => this.#endLimit())
  }

  /** By the operator's rule for a restore. */
  stop(): void {
    for (const process of this.#processes) process.die("stopped for a restore")
    this.#processes.clear()
  }

  #try(name: Fault, choose: () => Act | undefined): void {
    if (!this.#world.faults.draws(name)) return
    const act = choose()
    if (act !== undefined) this.#type(name, act)
  }

  #tryLimit(name: Fault, choose: () => Act | undefined): void {
    if (!this.#world.faults.draws(name)) return
    const act = choose()
    if (act !== undefined) this.#typeLimit(name, act)
  }

  #typeLimit(name: Fault, act: Act): void {
    this.#type(name, act, { random: this.#limits, by: `limit ${++this.#limitCommands}` })
  }

  #type(name: Fault, act: Act, { random = this.#random, by = `oper ${++this.#commands}` } = {}): void {
    const { faults, timeline, trace } = this.#world
    const process = new Process(by, random.pick([0, 0, -1_500, 2_500]), {
      timeline,
      faults,
      trace,
      onDeath: (dead) => this.#processes.delete(dead)
    })
    process.isOperator = true
    this.#processes.add(process)
    // People do not type at the full minute.
    process.at(timeline.nowMs + random.int(0, 50_000), () => {
      trace.say(process.name, act.typed)
      command(this.#world, process, act.operation, () => faults.count(name))
    })
  }

  #refund(): Act | undefined {
    const { chain, ledger } = this.#world
    const wallets = [...ledger.tables.wallets.values()]
    const free = wallets.filter(({ id }) => this.#seemsFree(id))
    const wallet = this.#oneOf(free.length > 0 && !this.#isCareless() ? free : wallets)
    if (wallet === undefined) return undefined
    const part = this.#random.pick([1n, 2n, 3n, 10n])
    const holds = chain.balance(wallet.agentAddress as Batch["payer"])
    const amount = part === 1n ? {} : { amount: usdc(holds / part) }
    const typed = `refund ${wallet.id.slice(0, 8)}${part === 1n ? "" : ` --amount ${holds / part}`}`
    // Asked first, and confirmed as it was shown.
    const operation = Effect.flatMap(refund(wallet.id, { confirm: false, ...amount }, ""), (shown) =>
      refund(wallet.id, { confirm: true, to: shown.to, amount: shown.amount }, "the user asked for it")
    )
    return { typed, operation }
  }

  /** As a dry run would tell. */
  #seemsFree(walletId: WalletId): boolean {
    const { chain, ledger } = this.#world
    const { agentAddress } = ledger.tables.wallets.get(walletId)!
    const isOpen = ({ status }: StoredTask) => status === "pending_payment" || status === "funded"
    const isBusy = tasksOf(ledger.tables).some((task) => task.walletId === walletId && isOpen(task))
    return !isBusy && chain.balance(agentAddress as Batch["payer"]) > 0n
  }

  #isCareless(): boolean {
    return this.#random.chance(CARELESSNESS)
  }

  #cancel(): Act | undefined {
    const task = this.#oneOf(tasksOf(this.#world.ledger.tables).filter(({ status }) => status === "pending_payment"))
    return task && { typed: `cancel ${nameOf(task)}`, operation: cancel(task.id, "the user asked for it") }
  }

  #retry(isWanted: (task: StoredTask, tables: Tables) => boolean): Act | undefined {
    const { tables } = this.#world.ledger
    const task = this.#oneOf(tasksOf(tables).filter((candidate) => isWanted(candidate, tables)))
    return task && { typed: `retry ${nameOf(task)}`, operation: retry(task.id, "it works again") }
  }

  #resolve(as: ResolveBody["as"]): Act | undefined {
    const { ledger } = this.#world
    const isPremature = this.#isCareless()
    const batch = this.#oneOf(
      [...ledger.tables.batches.values()].filter(
        ({ status }) => status === "held" || (status === "paid" && (as === "failed" || isPremature))
      )
    )
    if (batch === undefined) return as === "failed" ? this.#giveUp() : undefined
    // What cannot be found on chain is the person's word; none at all gives the batch up, and not its task.
    const mints = as === "delivered" && this.#random.chance(0.5) ? { mints: this.#madeFor(batch) } : {}
    const typed = `resolve ${batch.taskId.slice(0, 8)} --batch ${batch.number} --as ${as} ${JSON.stringify(mints)}`
    return { typed, operation: resolve(batch.taskId, { as, batch: batch.number, ...mints }, "looked at it") }
  }

  #withdraw(): Act | undefined {
    const { refunds } = this.#world.ledger.tables
    const isOpen = ({ status, keepsMoney }: Refund) => status === "planned" || (status === "held" && keepsMoney)
    const chosen = this.#oneOf([...refunds.values()].filter((one) => this.#isCareless() || isOpen(one)))
    if (chosen === undefined) return undefined
    const { id, walletId } = chosen
    const operation = withdraw(walletId, id, "the user changed their mind")
    return { typed: `refund ${walletId.slice(0, 8)} --withdraw ${id.slice(0, 8)}`, operation }
  }

  /** Fails a task that waits for a person with nothing left of it to be decided. */
  #giveUp(): Act | undefined {
    const { tables } = this.#world.ledger
    const task = this.#oneOf(tasksOf(tables).filter((candidate) => isFreeOfBatches(candidate, tables)))
    return (
      task && { typed: `resolve ${nameOf(task)} --as failed`, operation: resolve(task.id, { as: "failed" }, "over") }
    )
  }

  #madeFor({ token, recipient, nonce, quantity }: Batch): number {
    const made = this.#world.chain.mintsOf(token, recipient).filter((mint) => mint.nonce === nonce).length
    return Math.min(made, quantity)
  }

  #reopen(): Act | undefined {
    const { walletStates } = this.#world.ledger.tables
    const stopped = [...walletStates].filter(([, { stoppedReason }]) => stoppedReason !== undefined)
    const walletId: WalletId | undefined = this.#oneOf(stopped)?.[0]
    if (walletId === undefined) return undefined
    return { typed: `resolve --wallet ${walletId.slice(0, 8)}`, operation: resolveWallet(walletId, "a thief was here") }
  }

  #pause(): Act | undefined {
    const { ledger, tokens } = this.#world
    const wallet = this.#oneOf([...ledger.tables.wallets.keys()])
    const target = this.#random.pick([{}, { token: this.#random.pick(tokens) }, { wallet }])
    return { typed: `pause ${JSON.stringify(target)}`, operation: pause(target, "something is wrong") }
  }

  #resume(): Act | undefined {
    const scope = this.#oneOf([...this.#world.ledger.tables.pauses.keys()])
    return scope && resumeOf(scope)
  }

  /** For all, a token or a person; a limit that is set already gets another amount. */
  #limit(): Act | undefined {
    const { ledger, tokens } = this.#world
    const random = this.#limits
    const [tasks, wallets] = [tasksOf(ledger.tables), [...ledger.tables.wallets.values()]]
    if (tasks.length === 0 || wallets.length === 0) return undefined
    const user = random.pick(wallets).userAddress
    const target = random.pick([{}, {}, { token: random.pick(tokens) }, { user }])
    const half = random.pick(tasks).totalCost / 2n
    const perDay = usdc(1n + (half > 0n ? half : 0n) * random.pick([1n, 2n, 5n, 20n]))
    return {
      typed: `limits set ${perDay} ${JSON.stringify(target)}`,
      operation: setLimit(perDay, target, "be careful")
    }
  }

  #endLimit(): Act | undefined {
    const scopes = [...this.#world.ledger.tables.limits.keys()]
    return scopes.length === 0 ? undefined : unlimitedOf(this.#limits.pick(scopes))
  }

  /** The trouble is over. */
  resumeAll(): void {
    for (const scope of this.#world.ledger.tables.pauses.keys()) this.#type("operator resumes", resumeOf(scope))
    for (const scope of this.#world.ledger.tables.limits.keys())
      this.#typeLimit("operator ends a limit", unlimitedOf(scope))
  }

  #oneOf<A>(choices: ReadonlyArray<A>): A | undefined {
    return choices.length === 0 ? undefined : this.#random.pick(choices)
  }
}

const resumeOf = (scope: PauseScope): Act => {
  const [kind, name] = scope.split(":")
  const target = kind === "token" ? { token: name } : kind === "wallet" ? { wallet: name } : {}
  return { typed: `resume ${scope}`, operation: resume(target, "it works again") }
}

const unlimitedOf = (scope: LimitScope): Act => {
  const [kind = "", name = ""] = scope.split(":")
  return {
    typed: `limits remove ${scope}`,
    operation: removeLimit(scope === "all" ? {} : { [kind]: name }, "it goes well")
  }
}

const tasksOf = (tables: Tables): ReadonlyArray<StoredTask> => [...tables.tasks.values()]

const nameOf = ({ id }: StoredTask): string => id.slice(0, 8)

/** Held, and neither for one of its batches nor for a row that makes no sense. */
const isFreeOfBatches = ({ id, status }: StoredTask, { batches, taskStates }: Tables): boolean =>
  taskStates.get(id)?.heldAtMs !== undefined &&
  (status === "funded" || status === "processing") &&
  ![...batches.values()].some((batch) => batch.taskId === id && batch.status === "held")
