import { type Block, type Doc, everyLine, type Lie, linesOf, type Piece } from "./Doc.ts"

/** What documents are held against. */
export interface Facts {
  /** Whether there is such a file or folder, by its path from the root. */
  readonly exists: (path: string) => boolean
  /** The text of a file; `undefined` where there is none. */
  readonly read: (path: string) => string | undefined
  readonly scripts: ReadonlySet<string>
  /** The keys of `.env.example`. */
  readonly settings: ReadonlySet<string>
  /** All that the code is made of, as one text. */
  readonly code: string
  /** The same with its tests: they have what is said where it is put together of parts. */
  readonly said: string
  /** The names of the rules in `docs/monitoring/alerts.yml`. */
  readonly alerts: ReadonlySet<string>
}

const lie = ({ file, line }: Piece, what: string): Lie => ({ file, line, what })

/** All matches of a pattern in all lines; the first group, or the whole. */
const found = (doc: Doc, pattern: RegExp): ReadonlyArray<readonly [Piece, string]> =>
  everyLine(doc).flatMap((piece) =>
    [...piece.text.matchAll(pattern)].map((match) => [piece, match[1] ?? match[0]] as const)
  )

const folderOf = (file: string): string => file.slice(0, file.lastIndexOf("/") + 1)

/** `docs/../src` without the detour. */
const tidy = (path: string): string => {
  const parts: Array<string> = []
  for (const part of path.split("/")) {
    if (part === "..") parts.pop()
    else if (part !== "." && part !== "") parts.push(part)
  }
  return parts.join("/")
}

/** Links to files of ours, and to headings in them. */
export const wrongLinks = (doc: Doc, { exists, read }: Facts): ReadonlyArray<Lie> =>
  found(doc, /\]\(([^)\s]+)\)/g).flatMap(([piece, target]) => {
    if (/^(https?:|mailto:)/.test(target)) return []
    const [path = "", heading] = target.split("#")
    const file = path === "" ? doc.file : tidy(folderOf(doc.file) + path)
    if (!exists(file)) return [lie(piece, `the link leads to ${file}, which is not there`)]
    if (heading === undefined || headingsOf(read(file) ?? "").has(heading)) return []
    return [lie(piece, `${file} has no heading #${heading}`)]
  })

/** As GitHub makes anchors of headings. */
const headingsOf = (text: string): ReadonlySet<string> =>
  new Set(
    [...text.matchAll(/^#+ +(.+)$/gm)].map(([, title = ""]) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
        .trim()
        .replaceAll(/\s/g, "-")
    )
  )

/** Where a path may begin: at the root, in `src`, in `test`, or beside the document. */
const ROOMS = ["", "src/", "test/"]

/** What a build or a run makes: it is not there before. */
const MADE = /^(dist|\.data|node_modules)\b/

/** A file, or a folder with its slash. */
const PATH = /^(?:[\w.@-]+\/)+(?:[\w.-]+\.(?:ts|js|cjs|mjs|json|md|yml|css|html))?$|^(?:[\w-]+\.cjs|\.env\.example)$/

/** Paths between backticks. */
export const wrongPaths = (doc: Doc, { exists }: Facts): ReadonlyArray<Lie> =>
  doc.spans.flatMap((piece) => {
    const path = piece.text
    if (!PATH.test(path) || MADE.test(path)) return []
    const isThere = [...ROOMS, folderOf(doc.file)].some((room) => exists(tidy(room + path)))
    return isThere ? [] : [lie(piece, `there is no ${path}`)]
  })

/** `docs/…` in texts that have no links. */
export const wrongPages = (doc: Doc, { exists }: Facts): ReadonlyArray<Lie> =>
  found(doc, /(?<![\w/])docs\/[\w/-]+\.\w+/g).flatMap(([piece, path]) =>
    exists(path) ? [] : [lie(piece, `there is no ${path}`)]
  )

export const wrongScripts = (doc: Doc, { scripts }: Facts): ReadonlyArray<Lie> =>
  found(doc, /\bnpm run (?:-s )?([a-z][\w:-]*)/g).flatMap(([piece, name]) =>
    scripts.has(name) ? [] : [lie(piece, `package.json has no script ${name}`)]
  )

/** The file that a secret `X` comes from. */
const ANY_FILE = "X_FILE"

/** Names in capitals with an underscore: settings, or constants of the code. */
export const wrongSettings = (doc: Doc, { settings, code }: Facts): ReadonlyArray<Lie> =>
  found(doc, /(?<![\w$<{-])([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?!\w)/g).flatMap(([piece, name]) => {
    const isKnown = settings.has(name) || name === ANY_FILE || new RegExp(String.raw`\b${name}\b`).test(code)
    return isKnown || isVariable(doc, piece) ? [] : [lie(piece, `${name} is no setting of .env.example`)]
  })

/** Dashboards name their own variables in capitals, anywhere but in what they tell. */
const isVariable = ({ file }: Doc, { text }: Piece): boolean =>
  file.endsWith(".json") && !/"(description|title)":/.test(text)

/** `metrics`: those that a running executor tells. Histograms have names of their own for their parts. */
export const wrongMetrics = (doc: Doc, metrics: ReadonlySet<string>): ReadonlyArray<Lie> =>
  found(doc, /\bai_mint_[a-z][a-z_]*[a-z]\b/g).flatMap(([piece, name]) => {
    const made = [name, name.replace(/_(bucket|sum|count)$/, "")]
    return made.some((one) => metrics.has(one)) ? [] : [lie(piece, `there is no metric ${name}`)]
  })

export const wrongAlerts = (doc: Doc, { alerts }: Facts): ReadonlyArray<Lie> =>
  found(doc, /\bAiMint[A-Z]\w+/g).flatMap(([piece, name]) =>
    alerts.has(name) ? [] : [lie(piece, `docs/monitoring/alerts.yml has no rule ${name}`)]
  )

/** What a program says in so many words, with `…` for what differs. Too little of it could be anywhere. */
const QUOTE_MIN = 8

/** Commands, code and files are no quotes. */
const NO_QUOTE = /--|\/|[=<>{}]|^(npm|pm2|openssl|curl|ai-mint|resolve|SELECT|DELETE|UPDATE)\b/

/** Lines of the log and answers, where a page quotes them: what stands between the `…` is in the code. */
export const wrongQuotes = (doc: Doc, { said }: Facts): ReadonlyArray<Lie> =>
  doc.spans.flatMap((piece) => {
    if (!piece.text.includes(" ") || NO_QUOTE.test(piece.text)) return []
    const parts = piece.text.split("…").map((part) => part.trim())
    const strange = parts.filter((part) => part.length >= QUOTE_MIN && !said.includes(part))
    return strange.map((part) => lie(piece, `nothing says "${part}"`))
  })

/** Rules that fire and that no page says anything about. */
export const untoldAlerts = (doc: Doc, { alerts }: Facts): ReadonlyArray<Lie> => {
  const told = new Set(doc.spans.map(({ text }) => text))
  return [...alerts]
    .filter((name) => !told.has(name))
    .map((name) => atTop(doc, `it does not say what to do at ${name}`))
}

const atTop = ({ file }: Doc, what: string): Lie => ({ file, line: 1, what })

/** Names of tables, triggers and functions of the database. */
export const wrongTables = (doc: Doc, names: ReadonlySet<string>): ReadonlyArray<Lie> =>
  found(doc, /\bai_agent_[a-z0-9_]*[a-z0-9]\b(?!…)/g).flatMap(([piece, name]) =>
    names.has(name) ? [] : [lie(piece, `the database has no ${name}`)]
  )

/** Every package is named with its reason, and with no other version than the one that is installed. */
export const wrongPackages = (doc: Doc, packages: Readonly<Record<string, string>>): ReadonlyArray<Lie> => {
  const missing = Object.keys(packages).filter((name) => !doc.spans.some(({ text }) => text === name))
  const versions = found(doc, /`([@\w/-]+)` \d+\.\d+[\w.-]*/g).flatMap(([piece, name]) => {
    const said = new RegExp(`\`${name}\` (\\d+\\.\\d+[\\w.-]*)`).exec(piece.text)?.[1]
    const real = packages[name]
    return real === undefined || said === real ? [] : [lie(piece, `${name} is ${real}, and not ${said}`)]
  })
  return [...missing.map((name) => atTop(doc, `${name} is not named`)), ...versions]
}

/** A request that a document shows. */
export interface Request extends Piece {
  readonly method: string
  readonly path: string
}

/** Where the executor listens in examples. The sandbox's mint server is another program. */
const OURS = /https?:\/\/(?:127\.0\.0\.1|localhost):4022(\/[^\s'"`)|]*)?/

/** Every `curl` at the executor, with what continues it on the next lines. */
export const requestsIn = ({ blocks, spans }: Doc): ReadonlyArray<Request> =>
  [...blocks.flatMap(joined), ...spans].flatMap((piece) => {
    if (!/\bcurl\b/.test(piece.text)) return []
    const [url, path = "/"] = OURS.exec(piece.text) ?? []
    if (url === undefined) return []
    const [, said] = /(?:-X|--request)\s+([A-Z]+)/.exec(piece.text) ?? []
    const method = said ?? (/\s(?:-d|--data|--json)\b/.test(piece.text) ? "POST" : "GET")
    return [{ ...piece, method, path: path.split("?")[0] ?? path }]
  })

/** A line that ends in a backslash goes on in the next one. */
const joined = (block: Block): ReadonlyArray<Piece> => {
  const pieces: Array<Piece> = []
  for (const piece of linesOf(block)) {
    const last = pieces.at(-1)
    if (last?.text.endsWith("\\") === true) {
      pieces[pieces.length - 1] = { ...last, text: last.text.slice(0, -1) + piece.text.trim() }
    } else pieces.push(piece)
  }
  return pieces
}

/** Paths that are no part of the API's definition. */
const PLAIN = new Set(["/", "/metrics", "/docs", "/openapi.json"])

/** The routes of an OpenAPI document. */
export type Routes = Readonly<Record<string, Readonly<Record<string, unknown>>>>

export const wrongRequests = (doc: Doc, routes: Routes): ReadonlyArray<Lie> =>
  requestsIn(doc).flatMap((request) =>
    isServed(request, routes) ? [] : [lie(request, `the API has no ${request.method} ${request.path}`)]
  )

const isServed = ({ method, path }: Request, routes: Routes): boolean =>
  (method === "GET" && PLAIN.has(path)) ||
  Object.entries(routes).some(([route, methods]) => method.toLowerCase() in methods && patternOf(route).test(path))

const patternOf = (route: string): RegExp => new RegExp(`^${route.replaceAll(/\{\w+\}/g, "[^/]+")}$`)

/** Statements of SQL that documents show, whole. */
export const statementsIn = ({ blocks, spans }: Doc): ReadonlyArray<Piece> => [
  ...blocks.filter(({ language }) => language === "sql").flatMap(statementsOf),
  ...spans.filter(({ text }) => /^(SELECT|DELETE FROM|UPDATE|INSERT INTO) .*\bai_agent_/.test(text))
]

const statementsOf = (block: Block): ReadonlyArray<Piece> => {
  const pieces: Array<Piece> = []
  let open: Piece | undefined
  for (const piece of linesOf(block)) {
    const code = piece.text.replace(/--.*$/, "").trimEnd()
    if (code.trim() === "" && open === undefined) continue
    open = { ...(open ?? piece), text: open === undefined ? code : `${open.text}\n${code}` }
    if (!code.endsWith(";")) continue
    pieces.push({ ...open, text: open.text.slice(0, -1) })
    open = undefined
  }
  return open === undefined ? pieces : [...pieces, open]
}
