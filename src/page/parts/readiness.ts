import type { StatusJson } from "../../operator/reports/status.ts"
import { type Child, el } from "../dom.ts"
import { count, duration, took } from "../format.ts"
import { ago } from "./components.ts"

type Readiness = StatusJson["readiness"]

interface Cell {
  readonly name: string
  /** Tells several of one name apart. */
  readonly key?: string
  readonly ok: boolean
  readonly value: Child
  /** Why it is not ok; else a detail. */
  readonly note: Child
}

const unseen = (text: string): HTMLElement => el("span", { class: "unseen" }, text)

const cell = ({ name, key = name, ok, value, note }: Cell): HTMLElement =>
  el(
    "li",
    { class: "part", "data-ok": String(ok), "data-key": key },
    el("span", { class: "part-name" }, name, unseen(ok ? ": well" : ": not well")),
    el("span", { class: "part-value" }, value),
    el("span", { class: "part-note" }, note)
  )

const answerWords = (ok: boolean): string => (ok ? "answers" : "no answer")

const rpc = (node: Readiness["rpc"][number]): HTMLElement =>
  cell({
    name: node.head === null ? "RPC" : `RPC, block ${count(Number(node.head))}`,
    key: node.host,
    ok: node.ok,
    value: node.headAgeMs === null ? answerWords(node.ok) : `head ${duration(node.headAgeMs)} old`,
    note: `${node.host} · ${node.problem ?? took(node.tookMs)}`
  })

const STAGES = { unused: "not needed now", connecting: "connecting", live: "announced", down: "not announced" } as const

/** A WebSocket endpoint that announces new blocks. */
const announcement = (
  { host, ok, stage, problem, head, heardAt }: NonNullable<Readiness["announcements"]>[number],
  nowMs: number
): HTMLElement =>
  cell({
    name: head === null ? "New blocks" : `New blocks, ${count(Number(head))}`,
    key: `announcements ${host}`,
    ok,
    value: STAGES[stage],
    note: [`${host} · `, problem ?? (heardAt === null ? "" : ago(heardAt, nowMs))]
  })

const sweep = ({ ok, problem, last }: Readiness["sweep"], nowMs: number): HTMLElement =>
  cell({
    name: "Last sweep",
    ok,
    value: last === null ? "none yet" : ago(last.at, nowMs),
    note: problem ?? (last === null ? "" : `${count(last.checked)} checked · ${took(last.tookMs)}`)
  })

const due = ({ ok, problem, since }: Readiness["due"], nowMs: number): HTMLElement =>
  cell({
    name: "Overdue work",
    ok,
    value: since === null ? "none" : ["since ", ago(since, nowMs)],
    note: problem ?? (since === null ? "on time" : "the oldest one")
  })

/** One of several executors that share the database. */
const runner = ({ name, version, isThis, parts }: NonNullable<Readiness["runners"]>[number]): HTMLElement =>
  cell({
    name: isThis ? "This executor" : "Executor",
    key: name,
    ok: true,
    value: `${count(parts.length)} of 32 parts`,
    note: `${name} · ${version}`
  })

/** Whether everything that is needed answers, one cell for each. */
export const readiness = ({ database, mintServer, ...rest }: Readiness, nowMs: number): ReadonlyArray<HTMLElement> => [
  cell({
    name: "Database",
    ok: database.ok,
    value: answerWords(database.ok),
    note: database.problem ?? took(database.tookMs)
  }),
  ...rest.rpc.map(rpc),
  ...(rest.announcements ?? []).map((one) => announcement(one, nowMs)),
  cell({
    name: "Mint server",
    ok: mintServer.ok,
    value: answerWords(mintServer.ok),
    note: mintServer.problem ?? took(mintServer.tookMs)
  }),
  sweep(rest.sweep, nowMs),
  due(rest.due, nowMs),
  ...(rest.runners ?? []).map(runner)
]
