import type { EventJson } from "../operator/reports/status.ts"
import { ApiProblem, request } from "./api.ts"
import { sseParser } from "./sse.ts"

export interface StreamListener {
  /** The stream is there, at first or again: what happened in between may have been missed. */
  readonly onOpen: () => void
  readonly onLedger: (event: EventJson) => void
  /** The stream ended, and will be tried again. */
  readonly onLost: () => void
  /** Refused (401, 403): not tried again until the next call of `listen`. */
  readonly onRefused: (problem: ApiProblem) => void
}

/** A beat comes every few seconds: after so long without one the connection is dead. */
const SILENCE_MS = 30_000

const BACKOFF_FIRST_MS = 1000
const BACKOFF_LONGEST_MS = 15_000

export const backoffMs = (failures: number): number =>
  Math.min(BACKOFF_LONGEST_MS, BACKOFF_FIRST_MS * 2 ** Math.max(0, failures - 1))

/** Calls `onSilence` when it is not fed for `SILENCE_MS`. */
const watchdog = (onSilence: () => void) => {
  let timer = setTimeout(onSilence, SILENCE_MS)
  return {
    feed: () => {
      clearTimeout(timer)
      timer = setTimeout(onSilence, SILENCE_MS)
    },
    stop: () => clearTimeout(timer)
  }
}

/** Follows the ledger from now on, for as long as the page is there. EventSource could not send the token. */
export const listen = (on: StreamListener): void => {
  let failures = 0
  let lastId: string | undefined

  const read = async (signal: AbortSignal, alive: () => void): Promise<void> => {
    const headers = { accept: "text/event-stream", ...(lastId === undefined ? {} : { "last-event-id": lastId }) }
    const { body } = await request("/api/events", { headers, signal })
    if (body === null) return
    on.onOpen()
    const parse = sseParser()
    const write = (piece: string): void => {
      alive()
      for (const { event, data, id } of parse(piece)) {
        failures = 0
        lastId = id ?? lastId
        if (event === "ledger") on.onLedger(JSON.parse(data) as EventJson)
      }
    }
    await body.pipeThrough(new TextDecoderStream()).pipeTo(new WritableStream({ write }), { signal })
  }
  const connect = async (): Promise<void> => {
    const ending = new AbortController()
    const dog = watchdog(() => ending.abort())
    const problem = await read(ending.signal, dog.feed).catch((error: unknown) => error)
    dog.stop()
    if (problem instanceof ApiProblem && [401, 403].includes(problem.status)) return on.onRefused(problem)
    on.onLost()
    failures += 1
    setTimeout(() => void connect(), backoffMs(failures))
  }
  void connect()
}
