import { Effect, FileSystem } from "effect"
import { createHash } from "node:crypto"
import { stripTypeScriptTypes } from "node:module"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"

/** One file of the operator's page, as it is served. */
export interface PageFile {
  readonly body: Uint8Array
  /** The same, for clients that accept `gzip`. */
  readonly gzip: Uint8Array
  /** For `content-type`. */
  readonly type: string
  /** Changes with the content and with nothing else. Weak, as one stands for both encodings. */
  readonly etag: string
}

/** By the path of the URL: `/`, `/page/main.js`. */
export type PageFiles = ReadonlyMap<string, PageFile>

/** Only our own scripts, styles and answers; no page may frame it. Text that gets into the page cannot run. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join("; ")

/** What every file of the page is sent with, besides its type and its etag. */
export const pageHeaders: Readonly<Record<string, string>> = {
  "content-security-policy": CONTENT_SECURITY_POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  // Kept, and asked about each time: an executor that was renewed is never seen through an old page.
  "cache-control": "no-cache"
}

const DIRECTORY = fileURLToPath(new URL("../page/", import.meta.url))

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  js: "text/javascript; charset=utf-8",
  ts: "text/javascript; charset=utf-8"
}

const typeOf = (name: string): string | undefined =>
  name.endsWith(".d.ts") ? undefined : TYPES[name.slice(name.lastIndexOf(".") + 1)]

/** Node says once that this function may change. An operator can do nothing about that. */
const stripQuietly = (source: string): string => {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return stripTypeScriptTypes(source)
  } finally {
    process.emitWarning = emitWarning
  }
}

/** What `tsc` makes of a module for `dist`, near enough: no types, and imports of `.js`. */
const toJavaScript = (source: string): string =>
  stripQuietly(source).replaceAll(/(\bfrom\s+"\.{1,2}\/[^"\n]+)\.ts"/g, '$1.js"')

const urlOf = (name: string): string =>
  name === "index.html" ? "/" : `/page/${name.replaceAll("\\", "/").replace(/\.ts$/, ".js")}`

/** Indentation is a seventh of the page. No text in it begins a line with a space that matters. */
const flat = (text: string): string => text.replaceAll(/^[ \t]+/gm, "")

const served = (name: string, type: string, content: Uint8Array): PageFile => {
  const text = Buffer.from(content).toString("utf8")
  const body = Buffer.from(flat(name.endsWith(".ts") ? toJavaScript(text) : text))
  const hash = createHash("sha256").update(body).digest("base64url").slice(0, 22)
  return { body, gzip: gzipSync(body, { level: 9 }), type, etag: `W/"${hash}"` }
}

/**
 * Reads the page once, at start: from `src/page`, whose types are stripped, or from `dist/page`, where `npm run build`
 * put it. Paths are the same in both. An executor without its page was not installed whole: a defect.
 */
export const readPageFiles: Effect.Effect<PageFiles, never, FileSystem.FileSystem> = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const names = yield* files.readDirectory(DIRECTORY, { recursive: true })
  const entries = yield* Effect.forEach(
    names.flatMap((name) => {
      const type = typeOf(name)
      return type === undefined ? [] : [{ name, type }]
    }),
    ({ name, type }) =>
      Effect.map(
        files.readFile(`${DIRECTORY}${name}`),
        (content) => [urlOf(name), served(name, type, content)] as const
      ),
    { concurrency: 8 }
  )
  return new Map(entries)
}).pipe(Effect.orDie)
