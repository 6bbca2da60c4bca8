/** One message of an event stream. `event` is `message` where the server names none. */
export interface ServerEvent {
  readonly event: string
  readonly data: string
  /** The last id that the stream gave, with this message or before it. */
  readonly id: string | undefined
}

interface Draft {
  event: string
  data: Array<string>
}

const LINE_END = /\r\n|\n|\r/

/** Splits off the whole lines. A `\r` at the very end may be half of a `\r\n`, and waits for the next piece. */
const wholeLines = (text: string): { readonly lines: ReadonlyArray<string>; readonly rest: string } => {
  const held = text.endsWith("\r") ? "\r" : ""
  const lines = text.slice(0, text.length - held.length).split(LINE_END)
  const rest = lines.pop() ?? ""
  return { lines, rest: rest + held }
}

/**
 * Reads `text/event-stream` in the pieces in which it arrives (WHATWG HTML, 9.2.6), and gives the messages that each piece
 * completes. A message that the end of the stream cuts off is never given: the server sends it again.
 */
export const sseParser = (): ((piece: string) => ReadonlyArray<ServerEvent>) => {
  let rest = ""
  let id: string | undefined
  let draft: Draft = { event: "", data: [] }

  const endOfMessage = (): ReadonlyArray<ServerEvent> => {
    const { event, data } = draft
    draft = { event: "", data: [] }
    return data.length === 0 ? [] : [{ event: event === "" ? "message" : event, data: data.join("\n"), id }]
  }
  const field = (line: string): void => {
    const [, name = "", value = ""] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? []
    if (name === "data") draft.data.push(value)
    else if (name === "event") draft.event = value
    else if (name === "id" && !value.includes("\0")) id = value
  }
  return (piece) => {
    const { lines, rest: after } = wholeLines(rest + piece)
    rest = after
    return lines.flatMap((line) => {
      if (line === "") return endOfMessage()
      if (!line.startsWith(":")) field(line)
      return []
    })
  }
}
