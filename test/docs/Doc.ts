/** Where something is said. */
export interface Place {
  readonly file: string
  readonly line: number
}

/** Something that is said and is not so. */
export interface Lie extends Place {
  readonly what: string
}

export const tellLie = ({ file, line, what }: Lie): string => `${file}:${line}: ${what}`

/** One line of a document, or a piece of code in it. */
export interface Piece extends Place {
  readonly text: string
}

export interface Block extends Piece {
  readonly language: string
}

/** A document, taken apart. */
export interface Doc {
  readonly file: string
  /** Lines outside of blocks. */
  readonly prose: ReadonlyArray<Piece>
  /** What stands between backticks in them. */
  readonly spans: ReadonlyArray<Piece>
  /** Fenced blocks, whole; `line` is that of their first line. */
  readonly blocks: ReadonlyArray<Block>
}

const FENCE = /^\s*```(\w*)/

/** Takes Markdown apart: a cell of a table has its `|` escaped, and the reader sees none of that. */
export const parseMarkdown = (file: string, text: string): Doc => {
  const prose: Array<Piece> = []
  const blocks: Array<Block> = []
  let open: { language: string; line: number; lines: Array<string> } | undefined
  for (const [index, line] of text.split("\n").entries()) {
    const fence = FENCE.exec(line)
    if (open === undefined && fence !== null) open = { language: fence[1] ?? "", line: index + 2, lines: [] }
    else if (open === undefined) prose.push({ file, line: index + 1, text: line.replaceAll(String.raw`\|`, "|") })
    else if (fence === null) open.lines.push(line)
    else {
      blocks.push({ file, line: open.line, language: open.language, text: open.lines.join("\n") })
      open = undefined
    }
  }
  return { file, prose, blocks, spans: prose.flatMap(spansOf) }
}

/** Anything else that has texts with code between backticks: rules of alerts, panels of a dashboard. */
export const parseLines = (file: string, text: string): Doc => {
  const prose = text.split("\n").map((line, index): Piece => ({ file, line: index + 1, text: line }))
  return { file, prose, blocks: [], spans: prose.flatMap(spansOf) }
}

const spansOf = ({ text, ...place }: Piece): ReadonlyArray<Piece> =>
  [...text.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => ({ ...place, text: code }))

/** The lines of a block, each in its place. */
export const linesOf = ({ file, line, text }: Block): ReadonlyArray<Piece> =>
  text.split("\n").map((one, index) => ({ file, line: line + index, text: one }))

/** All that a document says, line by line. */
export const everyLine = ({ prose, blocks }: Doc): ReadonlyArray<Piece> => [...prose, ...blocks.flatMap(linesOf)]
