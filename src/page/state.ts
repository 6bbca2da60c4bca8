import type { EventJson, StatusJson } from "../operator/reports/status.ts"
import type { ExplanationJson, TaskJson } from "../operator/reports/tasks.ts"
import type { Cards } from "./cards.ts"
import type { Listing } from "./listing.ts"

export type AttentionJson = StatusJson["attention"][number]

/** Whether the reader has access: yes, with a token (other than one that lacks a scope), or not at all as the API is closed. */
export type Access =
  | { readonly kind: "open" }
  | { readonly kind: "token"; readonly wasWrong: boolean; readonly lacks?: string }
  | { readonly kind: "closed"; readonly detail: string }

/** The open order: the name that it was opened by, and what is known of it. */
export interface Opened {
  readonly named: string
  readonly explanation: ExplanationJson | undefined
  /** Why it is unknown or out of date. */
  readonly problem: string | undefined
}

export const FILTERS = ["all", "pending_payment", "funded", "processing", "held"] as const
export type Filter = (typeof FILTERS)[number]

export interface State {
  readonly access: Access
  readonly overview: StatusJson | undefined
  /** When `overview` came, by the browser's clock. */
  readonly seenAtMs: number | undefined
  /** How far the server's clock is ahead of the browser's: ages count by the server's. */
  readonly skewMs: number
  readonly isStreaming: boolean
  /** Why the last request brought no overview; `isAnswer` where the executor itself answered so. */
  readonly problem: { readonly detail: string; readonly isAnswer: boolean } | undefined
  /** The last events, newest first. */
  readonly recentEvents: ReadonlyArray<EventJson>
  readonly filter: Filter
  readonly opened: Opened | undefined
  /** The orders that the reader asked for beside the open ones. */
  readonly listing: Listing
  /** The last answer to that: for another page of the list as long as the new one is on its way. */
  readonly listed: Listed | undefined
  /** What other permissions are needed for than for orders. */
  readonly cards: Cards
}

export interface Listed {
  readonly tasks: ReadonlyArray<TaskJson>
  readonly next: string | null
  /** Why there are none. */
  readonly problem: string | undefined
}

export const initial: State = {
  access: { kind: "open" },
  overview: undefined,
  seenAtMs: undefined,
  skewMs: 0,
  isStreaming: false,
  problem: undefined,
  recentEvents: [],
  filter: "all",
  opened: undefined,
  listing: {},
  listed: undefined,
  cards: { keys: {}, webhooks: {} }
}

export interface Store {
  readonly get: () => State
  /** Changes the state and renders it. */
  readonly update: (change: (state: State) => State) => void
}

export const makeStore = (render: (state: State) => void): Store => {
  let state = initial
  return {
    get: () => state,
    update: (change) => {
      state = change(state)
      render(state)
    }
  }
}

/** Overviews come every 15 s even where nothing happens: two missing ones are no accident. */
const STALE_AFTER_MS = 40_000

export type Connection = "locked" | "connecting" | "live" | "reconnecting" | "offline"

export const connection = (state: State, nowMs: number): Connection => {
  if (state.access.kind !== "open") return "locked"
  if (state.overview === undefined && state.problem === undefined) return "connecting"
  if (state.problem !== undefined) return state.problem.isAnswer ? "reconnecting" : "offline"
  const isOld = state.seenAtMs === undefined || nowMs - state.seenAtMs > STALE_AFTER_MS
  return state.isStreaming && !isOld ? "live" : "reconnecting"
}

/** Whether what is shown may be out of date. */
export const isStale = (state: State, nowMs: number): boolean =>
  state.seenAtMs !== undefined && (state.problem !== undefined || nowMs - state.seenAtMs > STALE_AFTER_MS)

const RECENT_EVENTS_MAX = 12

const newestFirst = (events: ReadonlyArray<EventJson>): ReadonlyArray<EventJson> =>
  [...new Map(events.map((event) => [event.id, event])).values()]
    .toSorted((a, b) => b.id - a.id)
    .slice(0, RECENT_EVENTS_MAX)

export const withOverview = (state: State, overview: StatusJson, nowMs: number): State => ({
  ...state,
  access: { kind: "open" },
  overview,
  seenAtMs: nowMs,
  skewMs: Date.parse(overview.now) - nowMs,
  problem: undefined,
  recentEvents: newestFirst([...state.recentEvents, ...overview.lately])
})

/** A request for the overview failed. A status of 0 is no answer. */
export const withProblem = (state: State, status: number, detail: string, hadToken: boolean): State => {
  // Who comes with another token may see what was refused.
  const { cards } = initial
  if (status === 401) return { ...state, access: { kind: "token", wasWrong: hadToken }, problem: undefined, cards }
  if (status === 403 && hadToken) {
    return { ...state, access: { kind: "token", wasWrong: true, lacks: detail }, problem: undefined, cards }
  }
  if (status === 403) return { ...state, access: { kind: "closed", detail }, problem: undefined }
  return { ...state, problem: { detail, isAnswer: status !== 0 } }
}

/** An event may come twice; a repeated one changes nothing. */
export const withEvent = (state: State, event: EventJson): State =>
  state.recentEvents.some(({ id }) => id === event.id)
    ? state
    : { ...state, recentEvents: [event, ...state.recentEvents].slice(0, RECENT_EVENTS_MAX) }

const passes: Readonly<Record<Filter, (task: TaskJson) => boolean>> = {
  all: () => true,
  pending_payment: ({ status }) => status === "pending_payment",
  funded: ({ status }) => status === "funded",
  processing: ({ status }) => status === "processing",
  held: ({ held }) => held !== null
}

export const filtered = (tasks: ReadonlyArray<TaskJson>, filter: Filter): ReadonlyArray<TaskJson> =>
  tasks.filter(passes[filter])

const OPEN = ["pending_payment", "funded", "processing"]

/** How many open orders there are of a kind: of all, not only of those that are listed. */
export const openCount = (overview: StatusJson, filter: Filter): number =>
  overview.open.length < LISTED_MAX ? filtered(overview.open, filter).length : countedOpen(overview, filter)

const countedOpen = ({ tasks }: StatusJson, filter: Filter): number =>
  tasks
    .filter(({ status }) => OPEN.includes(status))
    .filter(({ status, held }) => filter === "all" || (filter === "held" ? held : status === filter))
    .reduce((sum, { count }) => sum + count, 0)

/** The overview lists no more of a kind. */
const LISTED_MAX = 100

/** Sums are a few seconds behind the lists: they count only where a list does not tell all. */
const totalOf = (list: ReadonlyArray<unknown>, sum: number): number =>
  list.length < LISTED_MAX ? list.length : Math.max(list.length, sum)

/** How many orders are open. */
export const openTotal = ({ open, openCount: sum }: StatusJson): number => totalOf(open, sum)

/** How many items need a person. */
export const attentionTotal = ({ attention, attentionCount }: StatusJson): number => totalOf(attention, attentionCount)

/** Identifies one item that needs a person. */
export const attentionKey = ({ kind, taskId, wallet, batch, since, text }: AttentionJson): string =>
  [kind, taskId, wallet, batch, ...(kind === "incident" ? [since, text] : [])].join(" ")

/** Up to so many of one cause are shown one by one. */
const ALONE_MAX = 3

/** What items of one cause have in common: no names or numbers. */
const causeOf = ({ kind, text }: AttentionJson): string =>
  `${kind} ${text.slice(0, 200).replaceAll(/0x[0-9a-f]+|[0-9]+/gi, "#")}`

/** Items that need a person, grouped by cause where there are many. */
export const grouped = (items: ReadonlyArray<AttentionJson>): ReadonlyArray<ReadonlyArray<AttentionJson>> => {
  const groups = new Map<string, Array<AttentionJson>>()
  for (const item of items) {
    const key = item.alike > ALONE_MAX ? causeOf(item) : attentionKey(item)
    groups.set(key, [...(groups.get(key) ?? []), item])
  }
  return [...groups.values()]
}

/** Items that need a person since the last overview. */
export const newAttention = (before: StatusJson | undefined, after: StatusJson): ReadonlyArray<AttentionJson> => {
  if (before === undefined) return []
  const known = new Set(before.attention.map(attentionKey))
  return after.attention.filter((item) => !known.has(attentionKey(item)))
}

/** The order that an address names: `#task=abc12345`. */
export const taskOfHash = (hash: string): string | undefined => {
  const named = new URLSearchParams(hash.replace(/^#/, "")).get("task")?.trim().toLowerCase()
  return named === undefined || named === "" ? undefined : named
}

export const hashOfTask = (named: string): string => `#task=${encodeURIComponent(named)}`

/** An id, or its first eight digits: anything else is no order's. */
export const isTaskName = (text: string): boolean =>
  /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$|^[0-9a-f]{8}$/i.test(text.trim())
