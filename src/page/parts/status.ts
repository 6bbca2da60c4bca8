import type { StatusJson } from "../../operator/reports/status.ts"
import { el } from "../dom.ts"
import { clock, duration, plural } from "../format.ts"
import { type Connection, connection, isStale, openTotal, type State, attentionTotal } from "../state.ts"
import { ago } from "./components.ts"

const NAMES: Readonly<Record<Connection, string>> = {
  locked: "Locked",
  connecting: "Connecting",
  live: "Live",
  reconnecting: "Reconnecting",
  offline: "Offline"
}

/** Whether the page is up to date. Screen readers announce a change of the word. */
export const liveIndicator = (state: State, nowMs: number): ReadonlyArray<HTMLElement> => {
  const now = connection(state, nowMs)
  return [el("span", { class: "live", "data-live": now }, NAMES[now])]
}

/** What runs where. */
export const versionLine = ({ version }: StatusJson, nowMs: number): ReadonlyArray<HTMLElement> => [
  el("span", { class: "network" }, version.network),
  el("span", { class: "muted" }, `v${version.version}`),
  el("span", { class: "muted wide-only" }, "started ", ago(version.startedAt, nowMs))
]

const staleBanner = (state: State): HTMLElement =>
  el(
    "p",
    { class: "banner trouble", "data-key": "stale" },
    el("strong", {}, state.problem?.detail ?? "No answer for a while."),
    ` Last seen ${clock(state.seenAtMs ?? 0)}; everything below is from then.`
  )

const SCOPES: Readonly<Record<string, string>> = { all: "All minting is paused", token: "Minting is paused for" }

const pauseBanner = ({ scope, reason, since }: StatusJson["pauses"][number], nowMs: number): HTMLElement => {
  const [kind = "", name = ""] = scope.split(":")
  return el(
    "p",
    { class: "banner pause", "data-key": scope },
    el("strong", {}, `${SCOPES[kind] ?? `Paused for ${kind}`} ${name}`.trim()),
    ` for ${duration(nowMs - Date.parse(since))}: ${reason}`
  )
}

/** What a reader has to know first: that the page is out of date, or that something is paused. */
export const banners = (state: State, nowMs: number): ReadonlyArray<HTMLElement> => [
  ...(isStale(state, nowMs) ? [staleBanner(state)] : []),
  ...(state.overview === undefined && state.problem !== undefined
    ? [el("p", { class: "banner trouble", "data-key": "none" }, `${state.problem.detail} It is asked again.`)]
    : []),
  ...(state.overview?.pauses ?? []).map((pause) => pauseBanner(pause, nowMs + state.skewMs))
]

/** The title of the tab; the number of items that need a person comes first. */
export const title = ({ overview }: State): string => {
  if (overview === undefined) return "AI Mint Executor"
  const waiting = attentionTotal(overview)
  const first = waiting === 0 ? "" : `(${waiting}) `
  return `${first}${plural(openTotal(overview), "open order")} · ${overview.version.network} · AI Mint Executor`
}
