import { clock, day, relative, shortHash, shortId, stateName } from "../format.ts"
import { el, svg } from "../dom.ts"
import { hashOfTask } from "../state.ts"

/** The state of an order or a payment: a colour, and the word that says the same. */
export const stateChip = (status: string): HTMLElement =>
  el("span", { class: "state", "data-state": status, "data-key": status }, stateName(status))

export const heldChip = (): HTMLElement => el("span", { class: "state strong", "data-state": "held" }, "held")

/** A link that opens the order. */
export const orderLink = (id: string): HTMLElement =>
  el("a", { class: "mono", href: hashOfTask(id), title: id }, shortId(id))

/** `12 s ago`, with the full time as its tooltip. */
export const ago = (iso: string, nowMs: number): HTMLElement => {
  const atMs = Date.parse(iso)
  return el("time", { datetime: iso, title: `${day(atMs)}, ${clock(atMs)}` }, relative(atMs, nowMs))
}

/** `hh:mm:ss`. */
export const clockTime = (iso: string): HTMLElement => {
  const atMs = Date.parse(iso)
  return el("time", { datetime: iso, title: day(atMs) }, clock(atMs))
}

const copyIcon = (): SVGElement =>
  svg(
    "svg",
    { viewBox: "0 0 16 16", "aria-hidden": "true" },
    svg("path", { d: "M10.5 5.5v-3h-8v8h3" }),
    svg("path", { d: "M5.5 5.5h8v8h-8z" })
  )

/** A button that puts the text on the clipboard. */
export const copyButton = (text: string, what: string): HTMLElement =>
  el(
    "button",
    { type: "button", class: "copy", "data-copy": text, "aria-label": `Copy ${what}`, title: "Copy" },
    copyIcon()
  )

/** What a shell takes literally: `$`, backticks, `;` and the like are in no command of ours. */
const TYPEABLE = /^[A-Za-z0-9 ._,:=/|"…-]+$/

/** A command as it is typed, and a button that copies all of it. */
export const command = (behindAiMint: string): HTMLElement =>
  el(
    "span",
    { class: "command" },
    el("code", {}, `ai-mint ${behindAiMint}`),
    TYPEABLE.test(behindAiMint)
      ? copyButton(`npm run -s ai-mint -- ${behindAiMint}`, `the command ai-mint ${behindAiMint}`)
      : null
  )

/** Addresses, hashes and ids. Columns that other programs write may hold anything, and a copied text may be pasted into a shell. */
const NAME = /^(?:0x(?:[0-9a-f]{40}|[0-9a-f]{64})|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i

/** An address or another long name: shown short, copied whole. */
export const shortened = (text: string, what: string): HTMLElement =>
  el(
    "span",
    { class: "hash" },
    el("span", { class: "mono", title: text }, shortHash(text)),
    NAME.test(text) ? copyButton(text, what) : null
  )

const isTransaction = (text: string): boolean => /^0x[0-9a-f]{64}$/i.test(text)

/** Several, in a row. */
export const transactions = (hashes: ReadonlyArray<string>, explorer: string | null): HTMLElement =>
  el(
    "span",
    { class: "txs" },
    hashes.map((hash) => transaction(hash, explorer))
  )

/** A link to the transaction in the explorer; else its hash, to be copied. */
export const transaction = (hash: string, explorer: string | null): HTMLElement => {
  if (!isTransaction(hash)) return el("span", {}, hash)
  if (explorer === null || !/^https?:\/\//.test(explorer)) return shortened(hash, "the transaction's hash")
  const href = `${explorer.replace(/\/$/, "")}/tx/${hash}`
  return el("a", { class: "mono tx", href, title: hash, target: "_blank", rel: "noreferrer" }, shortHash(hash))
}

interface TableOptions {
  readonly name: string
  readonly heads: ReadonlyArray<string>
  readonly rows: ReadonlyArray<HTMLElement>
  /** A class besides that of every table. */
  readonly style?: string
}

/** Roles are explicit: on a phone the rows become cards, and browsers no longer treat it as a table then. */
export const table = ({ name, heads, rows, style = "" }: TableOptions): HTMLElement =>
  el(
    "table",
    { class: `orders ${style}`.trim(), role: "table", "aria-label": name, "data-key": "table" },
    el(
      "thead",
      { role: "rowgroup" },
      el(
        "tr",
        { role: "row" },
        heads.map((head) => el("th", { role: "columnheader", scope: "col" }, head))
      )
    ),
    el("tbody", { role: "rowgroup" }, rows)
  )
