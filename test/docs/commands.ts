import { type Doc, linesOf, type Piece } from "./Doc.ts"

/** `ai-mint …` as a text has it. */
export interface Mention extends Piece {
  /**
   * `whole`: shown to be typed, and it must be all that is needed. `named`: a sentence speaks of it; the reason and what
   * else every such command needs may be left out.
   */
  readonly as: "whole" | "named"
}

/** What stands for the placeholders. */
export interface Given {
  /** An order that waits for its money, and one that is completed: their first eight digits. */
  readonly pending: string
  readonly completed: string
  readonly wallet: string
  readonly user: string
  readonly token: string
}

/** The commands, and what each needs at least. */
const NEEDS: Readonly<Record<string, ReadonlyArray<string>>> = {
  status: [],
  watch: [],
  "tasks list": [],
  "tasks show": ["<task>"],
  "tasks explain": ["<task>"],
  "tasks create": ["--user", "0x…", "--token", "0x…", "--quantity", "1"],
  "tasks cancel": ["<task>", "--why", '"…"'],
  "tasks retry": ["<task>", "--why", '"…"'],
  "tasks adopt": ["<task>", "--why", '"…"'],
  "tasks resolve": ["<task>", "--as", "failed", "--why", '"…"'],
  explain: ["<task>"],
  "wallets create": ["--user", "0x…"],
  "wallets show": ["<wallet>"],
  quote: ["--user", "0x…", "--token", "0x…", "--quantity", "1"],
  "keys create": ["--name", "docs-check", "--scope", "orders:read"],
  "keys list": [],
  "keys revoke": ["shop"],
  limits: [],
  "limits set": ["--per-day", "5000", "--why", '"…"'],
  "limits remove": ["--why", '"…"'],
  cancel: ["<task>", "--why", '"…"'],
  retry: ["<task>", "--why", '"…"'],
  adopt: ["<task>", "--why", '"…"'],
  resolve: ["<task>", "--as", "failed", "--why", '"…"'],
  refund: ["<wallet>"],
  reconcile: [],
  prove: ["<task>"],
  export: ["--from", "2026-01-01", "--to", "2026-02-01"],
  verify: ["proof.json", "--rpc", "http://127.0.0.1:8545"],
  pause: ["--why", '"…"'],
  resume: ["--why", '"…"'],
  pauses: [],
  "webhooks add": ["https://example.com/hooks", "--events", "order.completed"],
  "webhooks list": [],
  "webhooks test": ["5b1c02de"],
  "webhooks deliveries": [],
  "webhooks redeliver": ["57bf3a69"],
  "webhooks rotate": ["5b1c02de"],
  "webhooks remove": ["5b1c02de"],
  mcp: [],
  doctor: [],
  migrate: [],
  "sandbox pay": ["<task>"],
  "sandbox reset": []
}

/** What ends a command in a sentence, or in the literal around it. */
const END = /[.,;:`")\]}]+$/

const GROUPS = new Set(["tasks", "wallets", "webhooks", "keys", "limits", "sandbox"])

/** Flags that a value follows. */
const VALUED =
  /^--(why|as|batch|mints|wallet|token|to|user|amount|price|quantity|status|state|events|from|limit|cursor|id|tx|quote|name|scope|expires|per-day|key|rpc|signer|completions|log-level)$/

/** Commands that are started and ended, and those that are not carried out. */
export const isEndless = ([first]: ReadonlyArray<string>): boolean => first === "watch"
export const isNotRun = (argv: ReadonlyArray<string>): boolean =>
  // A proof is a file of somebody's.
  // An agent speaks with `mcp` on standard input, and ends it.
  argv[0] === "verify" || argv[0] === "mcp" || argv.join(" ").startsWith("sandbox reset")

/** What comes before the command itself. */
const START = /(?:npm run (?:-s )?ai-mint --|node dist\/cli\/main\.js|(?<![\w./-])ai-mint)\s+(?=\S)/

/** What is shown in a document: lines of shell, code between backticks, and short names of commands. */
export const mentionsIn = ({ file, blocks, spans }: Doc): ReadonlyArray<Mention> => [
  ...blocks
    .filter(({ language }) => language === "sh" || language === "")
    .flatMap(linesOf)
    .filter(({ text }) => new RegExp(`^\\s*(?:→ )?${START.source}`).test(text))
    .map(whole),
  ...spans.flatMap((span): ReadonlyArray<Mention> => {
    if (new RegExp(`^${START.source}`).test(span.text))
      return [isPage(file) ? whole(span) : { ...whole(span), as: "named" }]
    return NAMED.test(span.text) ? [{ ...span, as: "named" }] : []
  })
]

/** A command without `ai-mint`, and with something behind it: `cancel <task>`. */
const NAMED =
  /^(?:tasks|wallets|cancel|retry|adopt|resolve|refund|explain|prove|pause|resume|reconcile|doctor|migrate|sandbox) (?:--|<|\[|abc12345|0x|list|show|explain|create|pay|reset)/

/** Alerts and dashboards have no room for more than the name. */
const isPage = (file: string): boolean => file.endsWith(".md")

const whole = (piece: Piece): Mention => ({ ...piece, text: afterStart(piece.text), as: "whole" })

const afterStart = (text: string): string => {
  const match = START.exec(text)
  return match === null ? text : text.slice(match.index + match[0].length)
}

/** What the texts of a program name: behind `ai-mint`, and in templates that are shown behind it. */
export const mentionsInSource = (file: string, text: string): ReadonlyArray<Mention> =>
  text.split("\n").flatMap((line, index) => {
    const place = { file, line: index + 1 }
    const behind = [...line.matchAll(/(?<![\w./-])ai-mint (?=[a-z])/g)].map(({ index: at }) => line.slice(at + 8))
    const templates = [...line.matchAll(/[`"]((?:[^`"\\]|"…")*)[`"]/g)]
      .map(([, content = ""]) => content)
      .filter((content) => TEMPLATE.test(content))
    return [...behind, ...templates].map((said): Mention => ({ ...place, text: filledIn(said), as: "named" }))
  })

const TEMPLATE = /^(?:tasks explain|wallets show|cancel|retry|adopt|resolve|refund|resume)[ $][^.]*\$\{/

/** `${wallet.agentAddress}` as `<wallet>`. */
const filledIn = (text: string): string =>
  text.replaceAll(/\$\{([^}]*)\}/g, (_, code: string) => {
    if (/flagsOf/.test(code)) return ""
    if (/address|wallet|^to$/i.test(code)) return "<wallet>"
    if (/amount/i.test(code)) return "1.00"
    return /number|quantity/i.test(code) ? "1" : "<task>"
  })

/** What is to be typed, for each alternative that the text gives. Nothing where it names no command. */
export const variantsOf = (mention: Mention, given: Given): ReadonlyArray<ReadonlyArray<string>> => {
  const text = mention.as === "whole" ? command(mention.text) : mention.text
  if (text.includes("<command>") || text.startsWith("…")) return []
  return unique(
    optional(text).flatMap((one) => {
      const tokens = tokensOf(one)
      const said = mention.as === "whole" ? tokens : complete(tokens)
      return alternatives(said).map((argv) => substitute(argv, given))
    })
  )
}

/** Without the comment, and without what the shell does with the output. */
const command = (text: string): string => (text.split(/\s+(?:#|\||>|&&|2>)\s*/)[0] ?? "").trim()

/** With what stands in square brackets, and without. */
const optional = (text: string): ReadonlyArray<string> =>
  /\[--/.test(text) ? [text.replaceAll(/\[([^\]]*)\]/g, "$1"), text.replaceAll(/\[[^\]]*\]/g, "")] : [text]

const tokensOf = (text: string): ReadonlyArray<string> => text.match(/"[^"]*"|'[^']*'|[^\s"']+/g) ?? []

const unique = (all: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<ReadonlyArray<string>> => [
  ...new Map(all.map((argv) => [argv.join("\0"), argv])).values()
]

/** A sentence's command: as far as it goes, and with what it leaves out. */
const complete = (tokens: ReadonlyArray<string>): ReadonlyArray<string> => {
  const [first = "", second = ""] = tokens.map((token) => token.replace(END, ""))
  const isGroup = GROUPS.has(first) && (!(first in NEEDS) || `${first} ${second}` in NEEDS)
  const path = isGroup ? [first, second] : [first]
  const needs = NEEDS[path.join(" ")]
  if (needs === undefined) return path
  const { said, flags } = argumentsIn(tokens.slice(path.length))
  if (said.length === 0) return [...path, ...needs]
  const isWallet = flags.has("--wallet") && first === "resolve"
  const needsTask = needs[0] === "<task>" && !isWallet && !said.some((token) => isName(token))
  const reason = needs.includes("--why") && !flags.has("--why") ? ["--why", '"…"'] : []
  return [...path, ...(needsTask ? ["<task>"] : []), ...said, ...reason]
}

const isName = (token: string): boolean => /^(<|abc12345|0x|\d)/.test(token)

/** Flags, their values and names, up to the first word that is none of these. */
const argumentsIn = (tokens: ReadonlyArray<string>) => {
  const said: Array<string> = []
  const flags = new Set<string>()
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] ?? ""
    const bare = token.replace(END, "")
    if (/^--[a-z]/.test(bare)) {
      flags.add(bare)
      said.push(bare)
      if (VALUED.test(bare)) said.push(valueOf(bare, tokens[++at] ?? ""))
    } else if (isName(bare)) said.push(bare)
    else break
    if (bare !== token) break
  }
  return { said, flags }
}

const valueOf = (flag: string, next: string): string => {
  if (flag === "--why") return '"…"'
  const bare = next.replace(END, "")
  if (flag === "--wallet" && !isName(bare)) return "<wallet>"
  return bare
}

/** `delivered|failed` is each of them. */
const alternatives = (tokens: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> =>
  tokens.reduce<ReadonlyArray<ReadonlyArray<string>>>(
    (all, token) => {
      const each = /^[a-z]+(\|[a-z]+)+$/.test(token) ? token.split("|") : [token]
      return all.flatMap((argv) => each.map((one) => [...argv, one]))
    },
    [[]]
  )

const substitute = (tokens: ReadonlyArray<string>, given: Given): ReadonlyArray<string> => {
  const task = tokens.includes("cancel") ? given.pending : given.completed
  return tokens.map((token, index) => {
    const flag = tokens[index - 1] ?? ""
    if (/^["'].*["']$/.test(token)) return token.includes("…") ? "docs:check" : token.slice(1, -1)
    if (/^(abc12345|<task>)$/.test(token)) return task
    if (/^(0x(…|\.\.\.)|<wallet>|<token>|<user>)$/.test(token)) {
      if (flag === "--tx") return `0x${"ab".repeat(32)}`
      if (flag === "--token" || token === "<token>") return given.token
      return flag === "--user" || token === "<user>" ? given.user : given.wallet
    }
    return /^(n|<n>)$/.test(token) ? "1" : token
  })
}

/** How a command ended, and what it said. */
export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Where nobody is asked, nothing is decided, or it is not known what was: no answer that a reader can count on. */
const LOST = /defect|No executor answers|broke off|way unknown|could not answer|No answer from|More than \d+ requests/

/** Why the command is not what a document may show; `undefined` where it is done, or refused in words. */
export const faultOf = ({ code, out, err }: Ran): string | undefined => {
  const words = err.trim().split("\n").slice(0, 2).join(" ")
  if (LOST.test(err)) return words
  if (code === 0) return undefined
  if (code === 1) return `${out}${err}`.trim() === "" ? "it ends with code 1 and no word" : undefined
  return `it ends with code ${code}: ${words}`
}
